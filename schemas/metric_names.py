"""The names in rows of `metrics`, as values: a name with its setting, and a bin of problems.

Only this module parses such names. Stores of version 3 joined several names in one column;
`current_names` separates them into the present columns, as the view `curves` does in SQL.
"""

import re
from dataclasses import dataclass
from typing import Any, Self

_NAME = re.compile(r"(?P<base>[^\[\]]+)(?:\[(?P<setting>.+)\])?")
_BIN = re.compile(
    r"(?:round=(?P<round>[\d.]+)(?:,|$))?"
    r"(?:(?P<kind>[^=]+)=(?P<value>.*?))?"
    r"(?:,fold=(?P<fold>\d+))?",
    re.DOTALL,
)
_OLD_PICK = re.compile(
    r"(?P<strategy>.+)/(?P<pick>majority|likelihood"
    r"|(?:best_of_n|weighted|chains|likelihood\+logit)\[[^\[\]]*\])",
    re.DOTALL,
)
_OLD_STRATEGIES = {"step_scores": "against", "compute_optimal": "pick"}
"""Strategies whose setting has its own column, with that column."""
_OLD_METRICS = {"gain_over": "against", "gain_at_equal_tokens": "against", "chosen": "arm"}
"""The same for metrics."""

CRITIQUE = "critique"
"""The strategy of a critic's figures, and of second attempts with its critiques."""
RETRY = "retry"
"""The strategy of second attempts without a critique, which are the control."""
FIRST_ATTEMPT = "first_attempt"
"""What the gain of second attempts is over."""

GRADING = "grading"
"""The strategy of the figures of judges and ensembles as graders."""


@dataclass(frozen=True, slots=True)
class Name:
    """A name with one setting, such as `best_of_n[min]`, or without, such as `majority`."""

    base: str
    setting: str | None = None

    def __str__(self) -> str:
        """As rows hold it."""
        return self.base if self.setting is None else f"{self.base}[{self.setting}]"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`; a text of any other form is a base without a setting."""
        match = _NAME.fullmatch(text)
        return cls(text) if match is None else cls(match["base"], match["setting"])


@dataclass(frozen=True, slots=True)
class Bin:
    """Which problems or steps a figure is over; all of them if no field is set."""

    kind: str | None = None
    """The property they are grouped by, such as `level`."""
    value: str = ""
    """The value of that property, such as `3`."""
    round: str | None = None
    """The round of a loop, such as `2`, or `2.1` for the first of its improve steps."""
    fold: int | None = None
    """Which half of the bin's problems."""

    def __str__(self) -> str:
        """As rows hold it: `all`, `level=3`, `round=2,level=3`, `oracle_quintile=1,fold=0`."""
        parts = [] if self.round is None else [f"round={self.round}"]
        parts += [] if self.kind is None else [f"{self.kind}={self.value}"]
        parts += [] if self.fold is None else [f"fold={self.fold}"]
        return ",".join(parts) or "all"

    @property
    def order(self) -> tuple[float, str]:
        """Sorts bins of a kind by number if they have one, by text otherwise."""
        return float(self.value) if self.value.isdigit() else float("inf"), self.value

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of `str`.

        Raises:
            ValueError: the text is not a bin.
        """
        if text == "all":
            return cls()
        match = _BIN.fullmatch(text)
        if match is None or not text:
            raise ValueError(f"expected a bin such as all or level=3, got {text!r}")
        fold = None if match["fold"] is None else int(match["fold"])
        return cls(match["kind"], match["value"] or "", match["round"], fold)


def strategy_type(label: str) -> str:
    """The type that begins a search's label: `beam` of `beam[width=2] by verifier[last]`."""
    return re.split(r"[\[ ]", label, maxsplit=1)[0]


def current_names(row: dict[str, Any]) -> dict[str, Any]:
    """A row of `metrics` with each name in its own column; a row that has them is unchanged.

    Args:
        row: by column; `pick`, `arm` and `against` may be missing.
    """
    names: dict[str, Any] = {"pick": None, "arm": None, "against": None, **row}
    if any(names[column] is not None for column in ("pick", "arm", "against")):
        return names
    for column, known in (("strategy", _OLD_STRATEGIES), ("metric", _OLD_METRICS)):
        name = Name.parse(names[column])
        if name.setting is not None and name.base in known:
            names |= {column: name.base, known[name.base]: name.setting}
    if match := _OLD_PICK.fullmatch(names["strategy"]):
        names |= match.groupdict()
    if names["bin"].startswith("round="):
        reached, _, budget = names["metric"].partition("@")
        names |= {"arm": names["strategy"], "strategy": reached if budget else "pool"}
    return names
