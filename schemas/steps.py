"""What ends a step of a solution: a separator, and rules for texts that one does not cut well."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any, Literal, Self

from pydantic import Field

from schemas.base import FrozenConfig

CONNECTIVES = (
    "Wait",
    "So",
    "Therefore",
    "Thus",
    "Hence",
    "But",
    "However",
    "Alternatively",
    "Hmm",
    "Now",
    "Next",
    "Then",
    "First",
    "Second",
    "Finally",
    "Actually",
    "Okay",
    "Let me",
    "Let's",
)
"""Words with which steps of long thoughts begin."""


class StepsConfig(FrozenConfig):
    """Which pieces of a text count as a step, beyond what the separator says.

    A text is cut after each separator, before each of the words in `starts`, and behind its
    thought. Short pieces are then joined with what follows, and the shortest neighbours with each
    other until `max_steps` are left, a thought and its answer last of all.
    """

    min_chars: Annotated[int, Field(ge=0)] = 0
    """Visible characters (without white space around them) that every step but the last of a
    thought or an answer has; a shorter piece, or a run of them, is joined with what follows."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Maximum number of steps of a solution; None for no limit. In a step-wise search the last one
    goes on to the end, since the length is not known there."""
    starts: Literal["connectives"] | tuple[Annotated[str, Field(pattern=r"\S")], ...] = ()
    """Words that begin a step where they begin a sentence or a line, as they are written, such as
    `[Wait, So, But]`; `connectives` for those of long thoughts in English."""

    @property
    def words(self) -> tuple[str, ...]:
        """The words that begin a step."""
        return CONNECTIVES if self.starts == "connectives" else self.starts


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRule:
    """What ends a step, in one object: a prompt's separator, its `steps` and its thoughts' end."""

    separator: str
    min_chars: int = 0
    max_steps: int | None = None
    starts: tuple[str, ...] = ()
    thought_end: str | None = None
    """The tag behind which a step ends, since the answer begins there."""

    @classmethod
    def of(cls, ending: "StepEnding") -> Self:
        """The rule itself, or the rule of a separator alone.

        Raises:
            ValueError: the separator is empty.
        """
        rule = ending if isinstance(ending, cls) else cls(separator=str(ending))
        if not rule.separator:
            raise ValueError("the step separator must not be empty")
        return rule

    @property
    def unlimited(self) -> Self:
        """The rule without a maximum number of steps."""
        return replace(self, max_steps=None)

    def after(self, num_steps: int) -> Self:
        """The rule for what follows the first steps of a solution."""
        if self.max_steps is None:
            return self
        return replace(self, max_steps=max(self.max_steps - num_steps, 1))

    @property
    def additions(self) -> dict[str, Any]:
        """What the rule has beyond its separator, as JSON; empty for a separator alone."""
        plain = asdict(StepRule(separator=self.separator))
        found = {name: value for name, value in asdict(self).items() if value != plain[name]}
        return {n: list(v) if isinstance(v, tuple) else v for n, v in found.items()}


StepEnding = StepRule | str
"""A rule, or the separator that is the whole of it."""


def describe_additions(additions: Mapping[str, Any]) -> str:
    """What a rule has beyond its separator, in words."""
    return json.dumps(additions, ensure_ascii=False) if additions else "of the separator alone"
