"""Accuracy before and after second attempts, by difficulty, as bars: a PNG."""

from collections.abc import Sequence
from pathlib import Path

from flows.pages import canvas
from flows.tables.critics import critic_rows, critics_in, of_critic
from schemas.metric_names import CRITIQUE, RETRY, Bin
from schemas.rows import Metric

_COLOURS = (canvas.BLUE, canvas.RED, canvas.GREEN, canvas.PINK, canvas.ORANGE, canvas.SKY)
_KINDS = ("level", "oracle_quintile")
Bars = dict[Bin, Metric]
"""A figure by bin."""


def plot_critics(metrics: Sequence[Metric], path: Path) -> None:
    """Write a PNG: the first attempt, a retry without a critique, and one with each critic's.

    Args:
        metrics: figures of critics of one set and policy.
        path: file to write.

    Raises:
        ValueError: no critique was followed by a second attempt.
    """
    groups = bar_groups(metrics)
    bins = sorted(
        {where for _, _, bars in groups for where in bars},
        key=lambda where: (where.kind is not None, where.order),
    )
    if not bins:
        raise ValueError(f"expected accuracies of second attempts among {len(metrics)} figures")
    figure, (axes,) = canvas.open_panels((max(8.0, 1.4 * len(bins) + 2.0), 5.0))
    width = 0.84 / len(groups)
    for index, (words, color, bars) in enumerate(groups):
        left = (index - (len(groups) - 1) / 2) * width
        cells = {place + left: bars[where] for place, where in enumerate(bins) if where in bars}
        canvas.draw_bars(axes, cells, width * 0.9, color=color, words=words)
    kind = next((where.kind for where in bins if where.kind is not None), None)
    axes.set_xticks(range(len(bins)), [where.value or "all" for where in bins])
    axes.set_ylim(0.0, 1.02)
    axes.set_ylabel("accuracy")
    if kind is not None:
        axes.set_xlabel(f"{kind.replace('_', ' ')} (1 is easiest)")
    canvas.set_heading(figure, "Second attempts with a critique, and without")
    canvas.add_legend(figure, axes, 2)
    canvas.save(figure, path)


def has_attempts(metrics: Sequence[Metric]) -> bool:
    """Whether there is anything to draw."""
    return any(row.metric == "accuracy_after" for row in critic_rows(metrics))


def bar_groups(metrics: Sequence[Metric]) -> list[tuple[str, str, Bars]]:
    """Words, colour and bars of the first attempt, of the control, and of each critic."""
    critics = critics_in(metrics)
    rows = [of_critic(metrics, critic) for critic in critics]
    kinds = {Bin.parse(row.bin).kind for of in rows for row in of}
    kind = next((name for name in _KINDS if name in kinds), None)

    def bars(of: Sequence[Metric], strategy: str, metric: str) -> Bars:
        found = {Bin.parse(r.bin): r for r in of if (r.strategy, r.metric) == (strategy, metric)}
        return {where: row for where, row in found.items() if where.kind in (None, kind)}

    widest = max(rows, key=lambda of: max((row.num_problems for row in of), default=0), default=[])
    before = [bars(widest, strategy, "accuracy_before") for strategy in (CRITIQUE, RETRY)]
    groups = [("first attempt", canvas.GREY, before[0] or before[1])]
    controls = [found for of in rows if (found := bars(of, RETRY, "accuracy_after"))]
    groups += [("again, without a critique", "#444444", found) for found in controls[:1]]
    for index, (critic, of) in enumerate(zip(critics, rows, strict=True)):
        color = _COLOURS[index % len(_COLOURS)]
        groups.append((critic.words, color, bars(of, CRITIQUE, "accuracy_after")))
    return [group for group in groups if group[2]]
