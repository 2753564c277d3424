"""The experiment `stitched`: imitation of stitched traces against best of N with a verifier."""

from prefect import flow

from flows.experiments.experiment import Experiment, open_experiment
from flows.runs.recording import name_run
from schemas.engines import VLLMConfig
from schemas.experiments.critics import SET
from schemas.experiments.stitched import (
    HELD_OUT,
    PART,
    StitchedExperimentConfig,
    imitator_set,
    set_of,
    verifier_name,
)
from schemas.scoring import ScoringJob

_LONGER = 4
"""An imitator may write up to three attempts before its last one."""


@flow(name="experiment_stitched", flow_run_name=name_run)
def experiment_stitched(
    config: StitchedExperimentConfig, root: str, run_id: str | None = None
) -> str:
    """Train an imitator and a verifier per size of data, and measure; the path of the relations."""
    with open_experiment(config, root, run_id) as experiment:
        if not experiment.is_given(PART):
            experiment.run(PART, config.held_out.with_fields(set_name=HELD_OUT))
            for num in config.nums:
                _learn(experiment, config, num)
        return experiment.conclude()


def _learn(experiment: Experiment, config: StitchedExperimentConfig, num: int) -> None:
    """Both learn from solutions of `num` problems."""
    problems = config.train.problems.with_fields(num_problems=num)
    experiment.run(PART, config.train.with_fields(set_name=set_of(num), problems=problems))
    _imitate(experiment, config, num)
    _rank(experiment, config, num)


def _imitate(experiment: Experiment, config: StitchedExperimentConfig, num: int) -> None:
    traces = config.traces.source.with_fields(set_names=(set_of(num),))
    built = experiment.run(PART, config.traces.with_fields(source=traces))
    training = config.imitation.with_fields(model_name=f"{config.imitation.model_name}{num}")
    if training.training_set == SET:
        training = training.with_fields(training_set=built)
    policy = VLLMConfig(model=experiment.run(PART, training))
    sampling = config.held_out.sampling
    sampling = sampling.with_fields(max_tokens=_LONGER * sampling.max_tokens)
    name = imitator_set(num)
    experiment.run(
        PART, config.held_out.with_fields(set_name=name, policy=policy, sampling=sampling)
    )
    experiment.run(PART, config.evaluation.with_fields(set_name=name, policy=policy))


def _rank(experiment: Experiment, config: StitchedExperimentConfig, num: int) -> None:
    graded = config.graded.source.with_fields(set_names=(set_of(num),))
    built = experiment.run(PART, config.graded.with_fields(source=graded))
    training = config.verifier.with_fields(
        training=config.verifier.training.with_fields(model_name=verifier_name(num))
    )
    if training.training_set == SET:
        training = training.with_fields(training_set=built)
    verifier = VLLMConfig(model=experiment.run(PART, training))
    policy = config.held_out.policy
    experiment.run(PART, ScoringJob(set_name=HELD_OUT, policy=policy, verifier=verifier))
    experiment.run(PART, config.evaluation.with_fields(policy=policy, verifier=verifier))
