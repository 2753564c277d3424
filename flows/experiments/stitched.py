"""The experiment `stitched`: imitation of stitched traces against best of N with a verifier."""

from flows.experiments.experiment import Experiment, open_experiment
from flows.runs.late_flow import flow
from flows.runs.recording import name_run
from schemas.experiments.critics import SET
from schemas.experiments.experiment import TRAINED
from schemas.experiments.stitched import StitchedExperimentConfig


@flow(name="experiment_stitched", flow_run_name=name_run)
def experiment_stitched(
    config: StitchedExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Train an imitator and a verifier per size of data, and measure; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        for num in config.nums:
            if not experiment.is_given(config.part_of("learning", num)):
                _learn(experiment, config, num)
            if not experiment.is_given(config.part_of("voting", num)):
                _vote(experiment, config, num)
            if not experiment.is_given(config.part_of("ranking", num)):
                _rank(experiment, config, num)
        return experiment.conclude()


def _learn(experiment: Experiment, config: StitchedExperimentConfig, num: int) -> None:
    """Solutions of `num` problems, both sets, and both trainings."""
    part = config.part_of("learning", num)
    problems = config.train.problems.with_fields(num_problems=num)
    experiment.run(part, config.train.with_fields(problems=problems))
    for sets, training in ((config.traces, config.imitation), (config.graded, config.verifier)):
        built = experiment.run(part, sets)
        given = training.training_set
        experiment.run(part, training.with_fields(training_set=built if given == SET else given))


def _vote(experiment: Experiment, config: StitchedExperimentConfig, num: int) -> None:
    votes = config.votes
    if votes.policy == TRAINED:
        policy = experiment.newest_model(
            config.part_of("learning", num), config.imitation.model_name
        )
        votes = votes.with_fields(policy=policy)
    experiment.run(config.part_of("voting", num), votes)


def _rank(experiment: Experiment, config: StitchedExperimentConfig, num: int) -> None:
    search = config.ranking
    if search.verifier == TRAINED:
        name = config.verifier.training.model_name
        search = search.with_fields(
            verifier=experiment.newest_model(config.part_of("learning", num), name)
        )
    experiment.run(config.part_of("ranking", num), search)
