"""The experiment `v_star`: its verifier, a PRM and a likelihood, on the same solutions."""

from flows.experiments.experiment import open_experiment
from flows.loops.loop import EVAL
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.evaluation import EvaluationJob
from schemas.experiments.v_star import VStarExperimentConfig
from schemas.scoring import ScoringJob


@flow(name="experiment_v_star", flow_run_name=name_run)
def experiment_v_star(config: VStarExperimentConfig, root: str, run_id: str | None = None) -> str:
    """Run the loop and have the PRM score its last solutions; the path of the relations."""
    loop = config.loop
    with open_experiment(config, root, run_id) as experiment:
        prm = experiment.train_verifier("line", config.line)
        experiment.run("loop", loop)
        if not experiment.is_given("loop"):
            policy = experiment.newest_model("loop", f"v_star-r{loop.rounds}")
            scoring = ScoringJob(
                set_name=EVAL,
                policy=policy,
                verifier=prm,
                prompt=loop.prompt,
                round=loop.rounds,
                pool=loop.pool,
            )
            experiment.run("loop", scoring)
            measured = EvaluationJob(
                set_name=EVAL,
                policy=policy,
                verifier=prm,
                grader=loop.grader,
                evaluation=loop.evaluation,
            )
            experiment.run("loop", measured)
        return experiment.conclude()
