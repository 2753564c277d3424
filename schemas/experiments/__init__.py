"""Experiments: what is published about the methods, as relations between figures that we measure.

Each experiment has a config, which holds the configs of the flows that it runs and says which
relations it measures. To add one, add a module here with the config, a module of the same name in
`flows/experiments/` with the flow, and its deployment in `prefect.yaml`.
"""

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from typing import get_args

from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.relation import (
    AnswersForTokens,
    Combined,
    Constant,
    DecidedAnswers,
    Figure,
    Relation,
    SolvedShare,
    StoredFigure,
    TokensSpent,
)

__all__ = [
    "AnswersForTokens",
    "Combined",
    "Constant",
    "DecidedAnswers",
    "ExperimentConfig",
    "Figure",
    "Relation",
    "SolvedShare",
    "StoredFigure",
    "TokensSpent",
    "experiment_configs",
]


def experiment_configs() -> dict[str, type[ExperimentConfig]]:
    """The config of every experiment, by its name: by subject, then by name."""
    for module in iter_modules(__path__, f"{__name__}."):
        import_module(module.name)
    subjects = get_args(Subject)
    found = sorted(_named(ExperimentConfig), key=lambda c: (subjects.index(c.subject), c.name))
    return {config.name: config for config in found}


def _named(base: type[ExperimentConfig]) -> Iterator[type[ExperimentConfig]]:
    for config in base.__subclasses__():
        if "name" in vars(config):
            yield config
        yield from _named(config)
