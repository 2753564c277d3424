"""A loop's rounds as a table for a terminal and as a picture."""

from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.tables.figures import figure_words
from flows.tables.names import GLOSSARY, ROUND_FIGURES
from schemas.rows import Metric
from tasks.evaluation.rounds import arms_of, figures_of, labels_of, round_order

_COLORS = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
"""Okabe and Ito's colours, which colour-blind readers can tell apart; markers differ as well."""
_DODGE = 0.06
"""How far an arm's points are moved, in rounds, so that they do not hide those of another."""


def round_table_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row per policy: what it reaches, with intervals, and what it was made from."""
    measured = _measured(metrics)
    rows = []
    for arm in arms_of(metrics):
        for label in labels_of(metrics, arm):
            figures = figures_of(metrics, arm, label)
            made_from = {
                title: form.format(figures[name].value) if name in figures else ""
                for name, (title, form) in ROUND_FIGURES.items()
            }
            reached = {name: figure_words(figures.get(name)) for name in measured}
            rows.append({"arm": arm, "round": label, **reached, **made_from})
    return rows


def rounds_summary(metrics: Sequence[Metric]) -> Table:
    """The rows of `round_table_rows` for a terminal.

    Raises:
        ValueError: there are none.
    """
    if not metrics:
        raise ValueError("expected figures of a loop's rounds, got none")
    rows = round_table_rows(metrics)
    num_problems = max(row.num_problems for row in metrics)
    table = Table(
        title=f"Rounds on {num_problems} held-out problems",
        caption="interval by bootstrap over problems; then what a policy learned from:\n"
        "share of right solutions, distinct right paths of a solved problem, rows of the set,\n"
        f"share of hard ones, tokens drawn; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    table.add_column("arm", no_wrap=True)
    for name in list(rows[0])[1:]:
        table.add_column(name, justify="right", no_wrap="@" in name)
    for place, row in enumerate(rows):
        is_last = place + 1 == len(rows) or rows[place + 1]["arm"] != row["arm"]
        table.add_row(*map(Text, row.values()), end_section=is_last)
    return table


def plot_rounds(metrics: Sequence[Metric], path: Path, *, title: str) -> None:
    """Write a PNG: a panel per figure, a curve with intervals per arm.

    Args:
        metrics: the rows of all rounds and arms of one loop.
        path: file to write.
        title: what the picture is about.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = _measured(metrics)
    labels = list(dict.fromkeys(x for arm in arms_of(metrics) for x in labels_of(metrics, arm)))
    labels.sort(key=round_order)
    figure = Figure(figsize=(3.6 * len(names) + 0.4, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, len(names), sharey=True, squeeze=False).flatten()
    for axes, name in zip(panels, names, strict=True):
        for place, arm in enumerate(arms_of(metrics)):
            color, marker = _COLORS[place % len(_COLORS)]
            points = [
                (labels.index(label), row)
                for label in labels_of(metrics, arm)
                if (row := figures_of(metrics, arm, label).get(name)) is not None
            ]
            axes.errorbar(
                [x + _DODGE * place for x, _ in points],
                [row.value for _, row in points],
                yerr=[
                    [row.value - _bound(row.ci_low, row) for _, row in points],
                    [_bound(row.ci_high, row) - row.value for _, row in points],
                ],
                color=color,
                marker=marker,
                capsize=3,
                linewidth=2,
                label=arm,
            )
        axes.set_title(name, fontsize=10)
        axes.set_xticks(range(len(labels)), labels)
        axes.set_xlabel("round")
        axes.grid(axis="y", alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("share of problems")
    handles, words = panels[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)


def _measured(metrics: Sequence[Metric]) -> list[str]:
    """The names of what policies reach: pass@1, then majorities, then pass@k."""
    found = {(row.metric, row.budget) for row in metrics if row.budget is not None}

    def place(each: tuple[str, int]) -> tuple[bool, bool, int]:
        name, budget = each
        return name != "pass@1", name.startswith("pass@"), budget

    named = [(name, budget) for name, budget in found if budget is not None]
    shown = [each for each in sorted(named, key=place) if each[0] != "majority@1"]
    largest = max(budget for _, budget in shown)
    return [name for name, budget in shown if name == "pass@1" or budget == largest]


def _bound(end: float | None, row: Metric) -> float:
    return row.value if end is None else end
