"""The experiment `rest`: ReST against the first policy and against unfiltered rows."""

from prefect import flow

from flows.experiments.experiment import open_experiment
from flows.runs.recording import name_run
from schemas.experiments.rest import RestExperimentConfig


@flow(name="experiment_rest", flow_run_name=name_run)
def experiment_rest(config: RestExperimentConfig, root: str, run_id: str | None = None) -> str:
    """Run the loop and compare its policies; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        experiment.run("rest", config.rest)
        return experiment.conclude()
