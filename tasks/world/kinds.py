"""What can happen in the built-in world: the kinds of sentence, and the five levels.

The table below defines the whole world: what each sentence says, how it really changes the count,
how often an average student misreads it, and the effect of the misreading.
"""

from dataclasses import dataclass
from typing import Literal

NAMES = ("Ana", "Ben", "Cara", "Dan", "Eva", "Finn")
THINGS = ("pens", "books", "coins", "cards", "shells", "beads")
CONTAINERS = ("boxes", "bags", "packs")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

Family = Literal["easy", "medium", "trap A", "trap B", "comparison"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of sentence.

    In a template `{n}` is the person the story began with, `{m}` the other one, `{q}` a quantity
    ("3 pens" or "2 bags of 4 pens"), `{a}` a bare number, `{o}` the things, `{k}` how many times.
    """

    name: str
    """Part of a problem's split hash: renaming a kind moves problems between splits."""
    family: Family
    template: str
    sign: int
    """+1, -1 or 0: how the quantity really changes the count in question."""
    error_rate: float
    """How often a student of middling skill misreads the sentence."""
    wrong_sign: int
    """How the misreading changes the count; for trap B the quantity is counted once."""
    cue: str
    """The words of the sentence that a solution quotes."""


_KINDS = (
    Kind("buys", "easy", "{n} buys {q}.", +1, 0.03, -1, "buys"),
    Kind("finds", "easy", "{n} finds {q}.", +1, 0.03, -1, "finds"),
    Kind("wins", "easy", "{n} wins {q}.", +1, 0.03, -1, "wins"),
    Kind("sells", "easy", "{n} sells {q}.", -1, 0.03, +1, "sells"),
    Kind("loses", "easy", "{n} loses {q}.", -1, 0.03, +1, "loses"),
    Kind("uses", "easy", "{n} uses {q}.", -1, 0.03, +1, "uses"),
    Kind("gets", "medium", "{n} gets {q} from {m}.", +1, 0.10, -1, "gets"),
    Kind("hands", "medium", "{n} hands {q} to {m}.", -1, 0.14, +1, "hands"),
    Kind("sees", "medium", "{n} sees {q}.", 0, 0.08, +1, "sees"),
    # Trap A: most students are wrong, so a majority vote is wrong too.
    Kind("buysfrom", "trap A", "{m} buys {q} from {n}.", -1, 0.66, +1, "buys from"),
    Kind("losesto", "trap A", "{m} loses {q} to {n}.", +1, 0.62, -1, "loses to"),
    Kind("paints", "trap A", "{n} paints {q}.", 0, 0.62, -1, "paints"),
    Kind("buysfor", "trap A", "{n} buys {q} for {m}.", 0, 0.64, +1, "buys for"),
    Kind("fewer!", "trap A", "{n} now has {a} fewer {o} than {m}.", +1, 0.66, -1, "now fewer"),
    # Trap B: a minority is wrong, but the right side is split over several ways of writing it.
    Kind("twice", "trap B", "{n} buys {q} twice.", +1, 0.40, +1, "twice"),
    Kind("each+", "trap B", "Each of {k} friends gives {n} {q}.", +1, 0.40, +1, "each gives"),
    Kind("each-", "trap B", "{n} uses {q} on each of {k} days.", -1, 0.40, -1, "each day"),
    Kind("fewer", "comparison", "{m} has {a} fewer {o} than {n}.", -1, 0.05, +1, "fewer"),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}

CLOSING_KINDS = ("fewer", "fewer!")
"""Comparisons: always the last sentence; the question is then about the other person."""


def kinds_of(family: Family) -> list[str]:
    """Names of a family's kinds, in table order."""
    return [kind.name for kind in _KINDS if kind.family == family]


@dataclass(frozen=True, slots=True)
class Level:
    """How hard a problem is: how many events, and how many of them are traps."""

    num_events: tuple[int, ...]
    """Drawn uniformly."""
    num_traps_weights: tuple[float, float, float, float]
    """Probabilities of 0, 1, 2 and 3 traps."""
    p_trap_b: float
    """Probability that a trap is of family B."""
    p_containers: float
    """Probability that an easy event is a product, "2 bags of 4 pens"."""
    p_medium: float
    """Probability that an event that is not a trap is of the medium family."""


LEVELS: dict[int, Level] = {
    1: Level((1, 2), (1, 0, 0, 0), 0.0, 0.15, 0.15),
    2: Level((2, 3), (0.65, 0.35, 0, 0), 1.0, 0.25, 0.30),
    3: Level((2, 3), (0.25, 0.75, 0, 0), 0.35, 0.30, 0.35),
    4: Level((3, 4), (0.12, 0.53, 0.35, 0), 0.30, 0.30, 0.40),
    5: Level((4, 5), (0, 0.40, 0.45, 0.15), 0.30, 0.30, 0.45),
}
