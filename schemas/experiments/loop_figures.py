"""Figures of the arms of a loop, for the relations of experiments with one."""

from schemas.experiments.relation import SolvedShare, StoredFigure
from schemas.metric_names import Bin

HARD = (4, 5)
"""Levels of hard problems."""


def pass_at_1(
    arm: str,
    number: str | None = None,
    *,
    part: str = "loop",
    label: str | None = None,
    levels: tuple[int, ...] = (),
) -> SolvedShare:
    """Pass@1 of an arm's policy after a round, by problem; None for its last round."""
    where = f" on levels {', '.join(map(str, levels))}" if levels else ""
    when = "first policy" if number == "0" else f"{arm}, last round"
    when = when if number in (None, "0") else f"{arm}, round {number}"
    return SolvedShare(
        label=label or f"pass@1 of {when}{where}", part=part, arm=arm, round=number, levels=levels
    )


def round_figure(
    metric: str,
    arm: str,
    number: str,
    label: str,
    *,
    strategy: str | None = None,
    part: str = "loop",
) -> StoredFigure:
    """A stored figure of an arm's round over all problems."""
    return StoredFigure(
        label=label,
        part=part,
        metric=metric,
        arm=arm,
        strategy=strategy,
        bin=str(Bin(round=number)),
    )
