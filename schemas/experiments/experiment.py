"""The base of the experiments' configs, whose class variables say what an experiment is."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from schemas.base import FrozenConfig
from schemas.experiments.relation import Relation

Subject = Literal["Verifiers", "Search", "Critics", "Self-improvement", "What verification buys"]
"""The headings of the table of relations, in order."""


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
    """Minutes of `--quick` on two idle cores; None if not measured."""
    whole_minutes: ClassVar[float | None] = None
    """The same of the whole size."""
    quick_fields: ClassVar[Mapping[str, Any]] = {}
    """Fields, nested ones too, that differ from the defaults in the size `quick`."""

    size: Literal["quick", "whole"] = "whole"
    """`quick` takes at most five minutes on two idle cores, with fewer problems or shorter
    trainings; its verdicts say that everything works, and seldom more."""
    seed: int = 0
    """Added to the `seed` of every part: other seeds sample other solutions of the same problems.
    """

    @classmethod
    def complete(cls, values: Any) -> Any:
        """See `FrozenConfig`; in the size `quick`, fields that are left out are its."""
        if isinstance(values, Mapping) and values.get("size") == "quick":
            values = _merge(cls.quick_fields, values)
        return super().complete(values)

    @classmethod
    def flow_name(cls) -> str:
        """The name of its flow and deployment, and the folder of its own rows."""
        return f"experiment_{cls.name}"

    def relations(self) -> tuple[Relation, ...]:
        """The relations that it measures, in the order of the table."""
        raise NotImplementedError


def _merge(base: Any, values: Any) -> Any:
    """Nested values over others; a config of another `type` replaces the one below."""
    if not isinstance(base, Mapping) or not isinstance(values, Mapping):
        return values
    if "type" in values and "type" in base and values["type"] != base["type"]:
        return values
    return {
        **base,
        **{name: _merge(base.get(name), value) for name, value in values.items()},
    }
