"""Step labels, label audits, step scores and picks against the truth, as tables for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from flows.tables.accuracies import figure_cell, verifier_words
from flows.tables.figures import figure_words
from flows.tables.names import (
    AUDIT_FIGURES,
    CONSENSUS_FIGURES,
    GLOSSARY,
    LABEL_FIGURES,
    POOL_FIGURES,
    SCORE_FIGURES,
)
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.solutions.audits import POSITION
from tasks.evaluation.solutions.truth import BEFORE_ANSWER
from tasks.evaluation.solutions.verifier_quality import UP_TO_FIRST_ERROR

_BIN_WORDS = {
    "all": "",
    BEFORE_ANSWER: ", before the answer",
    UP_TO_FIRST_ERROR: ", up to the first error",
}


def truth_rows(metrics: Sequence[Metric]) -> list[tuple[str, str, Metric]]:
    """The subject of each figure, its words, and the figure, in the order of the table."""
    found = []
    for names in (LABEL_FIGURES, AUDIT_FIGURES, CONSENSUS_FIGURES, SCORE_FIGURES, POOL_FIGURES):
        rows = [(Bin.parse(row.bin), row) for row in metrics if row.metric in names]
        rows = [(where, row) for where, row in rows if where.kind != POSITION]
        rows.sort(key=lambda each: _place(each[1].bin))
        for group in sorted({_group(row) for _, row in rows}):
            found += [
                (group, f"{words}{_bin_words(row.bin, where)}", row)
                for name, words in names.items()
                for where, row in rows
                if row.metric == name and _group(row) == group
            ]
    return found


def truth_summary(metrics: Sequence[Metric]) -> Table | None:
    """Step labels and step scores against the truth; None if nothing was measured."""
    table = Table(title="Against the truth about each step", caption=GLOSSARY, box=SIMPLE_HEAD)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    shown = None
    for group, words, row in truth_rows(metrics):
        if group != shown:
            table.add_row(f"[bold]{escape(group)}[/bold]")
            shown = group
        table.add_row(f"  {escape(words)}", figure_cell(row))
    return table if table.row_count else None


def label_table_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """The figures of step labels and their audits, a row each, for pages."""
    return [
        {"labels": group, "figure": words, "value": figure_words(row)}
        for group, words, row in truth_rows(metrics)
        if row.metric in {**LABEL_FIGURES, **AUDIT_FIGURES, **CONSENSUS_FIGURES}
    ]


def pick_summary(metrics: Sequence[Metric]) -> Table | None:
    """First error x N: how many best of N picks have it; None if nothing was measured."""
    rows = [row for row in metrics if row.metric == "picks"]
    if not rows:
        return None
    budgets = sorted({row.budget for row in rows if row.budget is not None})
    cells = {(Bin.parse(row.bin).value, row.budget): row.value for row in rows}
    table = Table(
        title=f"First error of the pick of {escape(rows[0].strategy)}" + verifier_words(rows),
        caption=f"expected number of problems; N = 1 is what the policy writes; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    table.add_column("first error", no_wrap=True)
    for budget in budgets:
        table.add_column(f"N = {budget}", justify="right")
    last = budgets[-1]
    for name in sorted({name for name, _ in cells}, key=lambda n: -cells.get((n, last), 0.0)):
        shown = [f"{cells[name, k]:.1f}" if (name, k) in cells else "" for k in budgets]
        table.add_row(name, *shown)
    return table


def _place(bin_name: str) -> tuple[bool, bool, str]:
    """Sorts bins: all first, then those with their own words."""
    return bin_name != "all", bin_name not in _BIN_WORDS, bin_name


def _bin_words(bin_name: str, where: Bin) -> str:
    if where.kind == "fold":
        return f", fold {where.value}"
    return _BIN_WORDS.get(bin_name, f", {where.value}")


def _group(row: Metric) -> str:
    """The subject of a figure."""
    if row.verifier is not None:
        return f"step scores of {row.verifier} against {row.against}"
    if row.metric in POOL_FIGURES:
        return f"solutions of {row.policy}"
    if row.metric in AUDIT_FIGURES:
        return f"audit of {row.strategy} of {row.policy} against {row.against}"
    if row.metric in CONSENSUS_FIGURES:
        return f"{row.strategy} of {row.policy} against {row.against}"
    return f"step labels {row.strategy} of {row.policy}"
