"""A row is a published relation, measured by one run of an experiment."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.tables import Int32, TableSpec

Verdict = Literal["holds", "does not hold", "within the noise"]
"""What a run of an experiment says of a relation; see tasks/evaluation/statistics/relations.py."""
ExperimentSize = Literal["quick", "whole"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRelation:
    """A published relation between two figures, and what one run found: both, and the difference.

    Figures are null if a side was not measured, and then `verdict` is null and `reason` says why.
    """

    experiment: str
    relation: str
    """Its name, which rows at several points of the same claim share."""
    point: str
    """Where it was measured, such as `N = 16`; empty if at one place only."""
    claim: str
    """What is published, in words."""
    paper: str
    published: str
    """The published figure, in words."""
    larger: str
    """The side that is claimed to be larger, in words."""
    larger_value: float | None = None
    larger_low: float | None = None
    larger_high: float | None = None
    smaller: str
    smaller_value: float | None = None
    smaller_low: float | None = None
    smaller_high: float | None = None
    difference: float | None = None
    """The larger side minus the smaller one."""
    difference_low: float | None = None
    difference_high: float | None = None
    margin: float = 0.0
    """What the difference must exceed."""
    verdict: Verdict | None = None
    rule: str
    """How the interval of the difference was computed, in words."""
    reason: str | None = None
    """Why there is no verdict."""
    num_units: Int32 | None = None
    """Problems, or seeds, behind the difference; null if the sides are not paired."""
    tokens: int | None = None
    """Tokens that all parts of the experiment generated and verified."""
    engine_s: float | None = None
    """Seconds of actors' time of all parts."""
    size: ExperimentSize
    seed: int
    command: str
    details: str
    """The page with more figures, relative to docs/results."""
    said: str | None = None
    """What a page said of it; only for a relation measured before it was an experiment, whose
    figures are those of the page."""
    created_at: datetime


RELATIONS = TableSpec("relations", MeasuredRelation)
