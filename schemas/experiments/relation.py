"""Published relations as data: which stored figure is said to be larger than which.

A figure says where it is read from in the run of an experiment: a part of it (a run of its own, see
flows/experiments/experiment.py) and what selects the rows there. Nothing here measures.
"""

from dataclasses import dataclass
from typing import Literal

Column = Literal["set_name", "strategy", "pick", "arm", "against", "bin", "policy", "verifier"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """Base of the kinds of figures."""

    label: str
    """What it is, in words, as in `best of 16 by the verifier`."""
    part: str = ""
    """The part of the experiment whose run holds the rows; empty for the experiment's own run."""
    times: float = 1.0
    """What it is multiplied by, as .5 for half of the tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFigure(Figure):
    """A figure of the view `curves`: the newest row in which every given column has its value.

    A column that is None is not compared. A text that ends in `*` selects all that begin with it,
    an empty one selects nulls.
    """

    metric: str
    """As in `metrics`: `accuracy`, `tokens`, `pass@1` …"""
    strategy: str | None = None
    budget: int | None = None
    pick: str | None = ""
    """Empty for the main pick of a search, and for figures without picks."""
    arm: str | None = None
    against: str | None = None
    set_name: str | None = None
    bin: str = "all"
    policy: str | None = None
    verifier: str | None = None
    stage: str | None = None
    per: Column | None = None
    """A column that tells repetitions apart, such as `arm` with `seed=0`, `seed=1`: the figure is
    their mean, and two such figures are paired by it. None if one row is expected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedAnswers(Figure):
    """The share of right answers of a search, by problem, from `decisions`."""

    strategy: str
    """The label of the search; a text that ends in `*` selects all that begin with it."""
    budget: int
    pick: str | None = None
    """None for the pick that the strategy is reported by."""
    set_name: str = "eval"
    levels: tuple[int, ...] = ()
    """Levels of the problems that count; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswersForTokens(Figure):
    """The share of right answers of a search that spent as many tokens as another, by problem.

    Between the two neighbouring N whose tokens per problem (written and verified) enclose those of
    the other search, linearly in their logarithm. Outside of its N it is not measured.
    """

    search: DecidedAnswers
    """The search; its `budget` does not count."""
    budgets: tuple[int, ...]
    """The N that it was made with."""
    spent: DecidedAnswers
    """The search whose tokens it may spend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedShare(Figure):
    """The share of right solutions of a policy of a loop, by problem: pass@1 of held-out problems.

    The policy is the one that the figures of the loop name for this arm and round.
    """

    arm: str
    round: str | None = None
    """Such as `1`, or `2.1` for an improve step; None for the last one of the arm."""
    set_name: str = "eval"
    levels: tuple[int, ...] = ()
    """Levels of the problems that count; empty for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokensSpent(Figure):
    """The tokens that a stage's rows of `trajectories` generated, by problem."""

    stage: str
    """Such as `step_labels`, for the rollouts that labels took."""
    per_label: bool = False
    """Divided by the problem's prefixes that got a hard label, each counted once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined(Figure):
    """A weighted sum of figures: by problem or seed where all of them are, so that it is paired."""

    terms: tuple[tuple[float, Figure], ...]
    """Weights and figures, as 1 and -1 for a difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant(Figure):
    """A number that a figure is compared with, such as a published one."""

    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A published relation between two figures, at one point."""

    name: str
    """Lower-case words joined by `_`; the same at every point."""
    claim: str
    """What is published, in a sentence without a full stop."""
    paper: str
    """As in `ReST, arXiv:2308.08998`."""
    published: str
    """The published figure, in words; `no figure` if the paper gives none."""
    larger: Figure
    """The side that is claimed to be larger."""
    smaller: Figure
    point: str = ""
    """Where it is measured, such as `N = 16`, if it is measured at several points."""
    margin: float = 0.0
    """What the difference must exceed: 0 for `is larger`, -.02 for `is at most .02 below`."""
    difference: StoredFigure | None = None
    """A stored difference of the two sides, paired by problem, with its interval (`gain_over`)."""
    details: str = ""
    """The page with more figures, relative to docs/results; empty for that of the experiment."""
