"""The experiment `particles`: particle filtering against REBASE."""

from flows.experiments.experiment import open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.particles import ParticlesConfig


@flow(name="experiment_particles", flow_run_name=name_run)
def experiment_particles(config: ParticlesConfig, root: str, run_id: str | None = None) -> str:
    """Run the parts and compare their figures; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        verifier = experiment.verifier_of("line", config.line, config.particles.verifier)
        experiment.run("particles", config.particles.with_fields(verifier=verifier))
        return experiment.conclude()
