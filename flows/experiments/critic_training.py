"""A critic for the experiments with one: annotated solutions, a set, and its training."""

from flows.experiments.experiment import Experiment
from schemas.engines import VLLMConfig
from schemas.experiments.critics import SET, CriticTrainedConfig

CRITICS = "critics"
"""The part in which the critic is made."""


def train_critic(experiment: Experiment, config: CriticTrainedConfig) -> VLLMConfig:
    """Sample, annotate, build and train in the part `critics`; the critic."""
    if not experiment.is_given(CRITICS):
        experiment.run(CRITICS, config.train)
        experiment.run(CRITICS, config.annotated)
        training = config.training
        built = experiment.run(CRITICS, config.built)
        if training.training_set == SET:
            training = training.with_fields(training_set=built)
        experiment.run(CRITICS, training)
    return experiment.newest_model(CRITICS, config.training.model_name)
