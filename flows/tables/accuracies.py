"""Accuracies as tables for a terminal: by strategy and budget, or by strategy and bin."""

from collections.abc import Iterable, Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from flows.tables.figures import interval_words, value_words
from flows.tables.names import (
    COST_FIGURES,
    GLOSSARY,
    UPPER_BOUND,
    sort_strategies,
    strategy_words,
)
from schemas.metric_names import Bin
from schemas.rows import Metric


def accuracy_summary(metrics: Sequence[Metric], *, bin_name: str = "all") -> Table:
    """Strategy x N: accuracy with its interval; below it the tokens per problem.

    The best accuracy of each column is bold; `pass` is an upper bound and takes no part.

    Raises:
        ValueError: no accuracy of the bin is given.
    """
    cells = {
        (m.strategy, m.budget): m
        for m in metrics
        if m.metric == "accuracy" and m.bin == bin_name and m.budget is not None
    }
    if not cells:
        raise ValueError(f"expected accuracies in bin {bin_name}, got none")
    budgets = sorted({budget for _, budget in cells if budget is not None})
    num_problems = max(m.num_problems for m in cells.values())
    table = Table(
        title=f"Accuracy by strategy and N ({bin_name}, {num_problems} problems)"
        + verifier_words(cells.values()),
        caption="mean over subsets of N candidates, interval by bootstrap over problems;\n"
        f"tokens per problem: written by the policy, read by the verifier; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    table.add_column("strategy", no_wrap=True)
    for budget in budgets:
        table.add_column(f"N = {budget}", justify="right")
    best = {k: _best(m for (_, budget), m in cells.items() if budget == k) for k in budgets}
    strategies = sort_strategies({strategy for strategy, _ in cells})
    for strategy in strategies:
        row = [figure_cell(cells.get((strategy, k)), best[k]) for k in budgets]
        name = escape(strategy_words(strategy))
        table.add_row(name, *row, end_section=strategy == strategies[-1])
    for metric, name in COST_FIGURES.items():
        spent = {m.budget: m.value for m in metrics if m.metric == metric and m.bin == "all"}
        if spent:
            table.add_row(name, *[f"{spent[k]:,.0f}" if k in spent else "" for k in budgets])
    return table


def bin_summary(metrics: Sequence[Metric], *, kind: str, budget: int) -> Table:
    """Strategy x bin of one kind at one budget: accuracy with its interval.

    Args:
        metrics: rows of one policy and verifier.
        kind: `level`, `subject`, `oracle_quintile` or `model_quintile`.
        budget: candidates per problem.

    Raises:
        ValueError: no accuracy in bins of this kind at this budget is given.
    """
    cells = {(m.strategy, where): m for where, m in accuracies_by_bin(metrics, kind, budget)}
    if not cells:
        raise ValueError(f"expected accuracies by {kind} at N = {budget}, got none")
    sizes = {where: m.num_problems for (_, where), m in cells.items()}
    bins = sorted(sizes, key=lambda where: where.order)
    table = Table(
        title=f"Accuracy by strategy and {kind.replace('_', ' ')} at N = {budget}"
        + verifier_words(cells.values()),
        caption="in brackets: problems of the bin, interval by bootstrap over problems; "
        + GLOSSARY,
        box=SIMPLE_HEAD,
    )
    table.add_column("strategy", no_wrap=True)
    for where in bins:
        table.add_column(escape(f"{where.value} ({sizes[where]})"), justify="right")
    best = {b: _best(m for (_, where), m in cells.items() if where == b) for b in bins}
    for strategy in sort_strategies({strategy for strategy, _ in cells}):
        row = [figure_cell(cells.get((strategy, where)), best[where]) for where in bins]
        table.add_row(escape(strategy_words(strategy)), *row)
    return table


def accuracies_by_bin(
    metrics: Sequence[Metric], kind: str, budget: int
) -> list[tuple[Bin, Metric]]:
    """The accuracies at one budget in the bins of one kind, those of folds left out."""
    found = [(Bin.parse(m.bin), m) for m in metrics if m.metric == "accuracy"]
    return [(b, m) for b, m in found if b == Bin(kind, b.value) and m.budget == budget]


def verifier_words(metrics: Iterable[Metric]) -> str:
    """A second line of a title that names the verifier; empty with several or none."""
    names = {m.verifier for m in metrics if m.verifier is not None}
    return f"\nverifier {escape(names.pop())}" if len(names) == 1 else ""


def figures_table(
    title: str, caption: str, columns: Mapping[str, Mapping[str, Metric]], names: Iterable[str]
) -> Table:
    """A column per thing that was measured, a row per figure that any of them has.

    Args:
        title: over the table.
        caption: below it, before where terms are explained.
        columns: by heading, the figures by their names.
        names: of the figures, in order.
    """
    table = Table(title=title, caption=f"{caption}; {GLOSSARY}", box=SIMPLE_HEAD)
    table.add_column("figure", overflow="fold")
    for heading in columns:
        table.add_column(escape(heading), justify="right", overflow="fold")
    for name in names:
        if any(name in of for of in columns.values()):
            table.add_row(escape(name), *(figure_cell(of.get(name)) for of in columns.values()))
    return table


def figure_cell(metric: Metric | None, best: str | None = None) -> str:
    """A figure and its interval, which contains no space, so a narrow terminal wraps before it."""
    if metric is None:
        return ""
    value = value_words(metric)
    if metric.strategy != UPPER_BOUND and value == best:
        value = f"[bold]{value}[/bold]"
    interval = interval_words(metric)
    return f"{value} [dim]{interval}[/dim]" if interval else value


def _best(metrics: Iterable[Metric]) -> str | None:
    """The highest accuracy as shown; None if all are equal."""
    shown = [value_words(m) for m in metrics if m.strategy != UPPER_BOUND]
    return max(shown) if len(set(shown)) > 1 else None
