"""What refining gains by the verifier that decides where: the four cells, for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.tables.figures import figure_words
from schemas.rows import Metric
from tasks.evaluation.refinement_gate import STRATEGY
from tasks.evaluation.rounds import arms_of

GATE_FIGURES = {
    "threshold": "threshold",
    "flags_wrong": "flags wrong",
    "passes_right": "passes right",
    "before": "before",
    "after": "after",
    "gain_over": "gain",
    "right_right": "right, right",
    "right_wrong": "right, wrong",
    "wrong_right": "wrong, right",
    "wrong_wrong": "wrong, wrong",
}
"""The figures of a verifier, each with its column."""
_CELLS = ("right_right", "right_wrong", "wrong_right", "wrong_wrong")


def split_gates(metrics: Sequence[Metric]) -> tuple[list[Metric], list[Metric]]:
    """The figures of rounds, and those of refining what a verifier flags."""
    gates = [row for row in metrics if row.strategy == STRATEGY]
    return [row for row in metrics if row.strategy != STRATEGY], gates


def gate_table_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row per verifier, the best first."""
    rows: list[tuple[float, dict[str, str]]] = []
    for arm in arms_of(metrics):
        found = {row.metric: row for row in metrics if row.arm == arm}
        figures = {
            title: f"{found[name].value:.3f}"
            if name in found and name in _CELLS
            else figure_words(found.get(name))
            for name, title in GATE_FIGURES.items()
        }
        rows.append((-found["after"].value, {"verifier": arm, **figures}))
    return [row for _, row in sorted(rows, key=lambda each: each[0])]


def gate_summary(metrics: Sequence[Metric]) -> Table:
    """The rows of `gate_table_rows` for a terminal.

    Raises:
        ValueError: the metrics are empty.
    """
    if not metrics:
        raise ValueError("expected figures of refining by verifier, got none")
    rows = gate_table_rows(metrics)
    num_problems = max(row.num_problems for row in metrics)
    table = Table(
        title=f"Refining what a verifier flags, on {num_problems} held-out problems",
        caption="threshold chosen on the other held-out problems; the last four columns are shares "
        "of\nall solutions, by whether they are right before and after; intervals by bootstrap "
        "over problems",
        box=SIMPLE_HEAD,
    )
    for name in rows[0]:
        table.add_column(
            name, no_wrap=name == "verifier", justify="left" if name == "verifier" else "right"
        )
    for row in rows:
        table.add_row(*map(Text, row.values()))
    return table
