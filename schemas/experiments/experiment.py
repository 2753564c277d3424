"""The base of the experiments' configs, whose class variables say what an experiment is."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from schemas.base import FrozenConfig
from schemas.engines import VLLMConfig
from schemas.experiments.relation import AnswersForTokens, Combined, Figure, Relation

Subject = Literal["Verifiers", "Search", "Critics", "Self-improvement", "What verification buys"]
"""The headings of the table of relations, in order."""

TRAINED = VLLMConfig(model="trained-by-an-earlier-part")
"""Stands for a model that an earlier part of the experiment trains."""
QUICK_LOOP: Mapping[str, Any] = {
    "train_problems": {"num_problems": 200},
    "eval_problems": {"num_problems": 60},
    "train_sampling": {"num_samples": 4},
    "eval_sampling": {"num_samples": 8},
    "evaluation": {"budgets": (1, 4)},
}
"""Fields of a loop in the size `quick`."""
QUICK_LINE: Mapping[str, Any] = {
    "train_problems": {"num_problems": 400},
    "eval_problems": {"num_problems": 60},
    "eval_sampling": {"num_samples": 16},
    "prm_training": {"max_steps": 300},
    "evaluation": {"budgets": (1, 4, 16)},
}
"""Fields of the line in the size `quick`."""


class ExperimentConfig(FrozenConfig):
    """Base of the experiments' configs: the configs of the flows that an experiment runs.

    The class variables say what the experiment is, `relations` what it measures. Every field has a
    default, which is the whole size.
    """

    name: ClassVar[str]
    """The name of the experiment, and of its module in `flows/experiments/`."""
    subject: ClassVar[Subject]
    """The heading of its relations."""
    details: ClassVar[str]
    """The page with its figures, relative to docs/results."""
    quick_minutes: ClassVar[float | None] = None
    """Minutes of `--quick` on two cores; None if not measured."""
    whole_minutes: ClassVar[float | None] = None
    """The same of the whole size; beside other work, so at most."""
    other_parts: ClassVar[tuple[str, ...]] = ()
    """Parts that no relation reads, such as one that trains a verifier for the others."""
    quick_fields: ClassVar[Mapping[str, Any]] = {}
    """Fields, nested ones too, that differ from the defaults in the size `quick`."""

    size: Literal["quick", "whole"] = "whole"
    """`quick` takes at most five minutes on two idle cores, with fewer problems or shorter
    trainings; its verdicts say that everything works, and seldom more."""
    seed: int = 0
    """Added to the `seed` of every part: other seeds sample other solutions of the same problems.
    """
    parts: dict[str, str] = {}  # noqa: RUF012
    """Runs of the store that stand for parts, by part: they are read as they are, and not run."""

    @model_validator(mode="after")
    def _knows_its_parts(self) -> Self:
        known = self.part_names()
        for part in self.parts:
            if part not in known:
                raise ValueError(f"parts: expected some of {', '.join(known)}, got {part!r}")
        return self

    @classmethod
    def complete(cls, values: Any) -> Any:
        """See `FrozenConfig`; in the size `quick`, fields that are left out are its."""
        if isinstance(values, Mapping) and values.get("size") == "quick":
            default = cls.model_construct()
            values = _merge(cls.quick_fields, values, default)
        return super().complete(values)

    @classmethod
    def flow_name(cls) -> str:
        """The name of its flow and deployment, and the folder of its own rows."""
        return f"experiment_{cls.name}"

    def part_names(self) -> list[str]:
        """The names of its parts."""
        figures = [f for r in self.relations() for f in (r.larger, r.smaller, r.difference)]
        read = [part for f in figures if f for part in parts_of(f) if part]
        return list(dict.fromkeys([*self.other_parts, *read]))

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """What is run, for a forecast: parts and configs of flows in order, one for each field."""
        fields = [(name, getattr(self, name)) for name in type(self).model_fields]
        return [(name, value) for name, value in fields if isinstance(value, FrozenConfig)]

    def relations(self) -> tuple[Relation, ...]:
        """The relations that it measures, in the order of the table."""
        raise NotImplementedError


def parts_of(figure: Figure) -> list[str]:
    """The parts that a figure is read from; an empty text is the experiment's own run."""
    if isinstance(figure, Combined):
        return [part for _, term in figure.terms for part in parts_of(term)]
    if isinstance(figure, AnswersForTokens):
        return [figure.search.part, figure.spent.part]
    return [figure.part]


def _merge(base: Any, values: Any, default: Any) -> Any:
    """Nested values over others, which belong to the `type` of the default."""
    if not isinstance(base, Mapping) or not isinstance(values, Mapping):
        return values
    own = base.get("type", getattr(default, "type", None))
    if values.get("type", own) != own:
        return values
    merged = {
        name: _merge(base.get(name), value, getattr(default, name, None))
        for name, value in values.items()
    }
    return {**base, **merged}
