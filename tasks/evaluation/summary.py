"""Metrics as tables for a terminal: accuracy by strategy and budget, or by strategy and bin."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table

from schemas.rows import Metric


def accuracy_summary(metrics: Sequence[Metric], *, bin_name: str = "all") -> Table:
    """Strategy x N: accuracy with its interval; below it the tokens per problem.

    The best accuracy of each column is bold; `pass` is an upper bound and takes no part.

    Raises:
        ValueError: there is no accuracy in the bin.
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
        title=f"Accuracy by strategy and N ({bin_name}, {num_problems} problems)",
        caption="mean over subsets of N candidates, interval by bootstrap over problems;\n"
        "tokens per problem: written by the policy, read by the verifier",
        box=SIMPLE_HEAD,
    )
    table.add_column("strategy", no_wrap=True)
    for budget in budgets:
        table.add_column(f"N = {budget}", justify="right")
    best = {k: _best(m for (_, budget), m in cells.items() if budget == k) for k in budgets}
    strategies = sort_strategies({strategy for strategy, _ in cells})
    for strategy in strategies:
        row = [_cell(cells.get((strategy, k)), best[k]) for k in budgets]
        name = "pass (any right)" if strategy == "pass" else strategy
        table.add_row(name.replace("[", r"\["), *row, end_section=strategy == strategies[-1])
    for metric, name in (
        ("generated_tokens", "tokens written"),
        ("scored_tokens", "tokens verified"),
    ):
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
        ValueError: there is no accuracy in bins of this kind at this budget.
    """
    cells = {
        (m.strategy, m.bin): m
        for m in metrics
        if m.metric == "accuracy" and m.budget == budget and m.bin.startswith(f"{kind}=")
    }
    if not cells:
        raise ValueError(f"expected accuracies by {kind} at N = {budget}, got none")
    sizes = {name: m.num_problems for (_, name), m in cells.items()}
    bins = sorted(sizes, key=bin_order)
    table = Table(
        title=f"Accuracy by strategy and {kind.replace('_', ' ')} at N = {budget}",
        caption="in brackets: problems of the bin, interval by bootstrap over problems",
        box=SIMPLE_HEAD,
    )
    table.add_column("strategy", no_wrap=True)
    for name in bins:
        table.add_column(f"{name.partition('=')[2]} ({sizes[name]})", justify="right")
    best = {b: _best(m for (_, name), m in cells.items() if name == b) for b in bins}
    for strategy in sort_strategies({strategy for strategy, _ in cells}):
        row = [_cell(cells.get((strategy, name)), best[name]) for name in bins]
        name = "pass (any right)" if strategy == "pass" else strategy
        table.add_row(name.replace("[", r"\["), *row)
    return table


def sort_strategies(strategies: Iterable[str]) -> list[str]:
    """Baselines first, then families of rankers, the upper bound `pass` last."""
    families = (
        "majority",
        "likelihood[",
        "best_of_n",
        "filter",
        "gated",
        "weighted",
        "likelihood+",
    )
    reductions = ("[sum]", "[min]", "[prod]", "[last]", "[mean]")

    def place(strategy: str) -> tuple[bool, int, int, str]:
        family = next((i for i, f in enumerate(families) if strategy.startswith(f)), len(families))
        how = next((i for i, r in enumerate(reductions) if strategy.endswith(r)), 0)
        return strategy == "pass", family, how, strategy

    return sorted(strategies, key=place)


def bin_order(name: str) -> tuple[float, str]:
    """Sorts bins by number where they have one, by text otherwise."""
    text = name.partition("=")[2]
    return (float(text) if text.isdigit() else float("inf"), text)


def _best(metrics: Iterable[Metric]) -> str | None:
    """The highest accuracy as shown; None where nothing stands out."""
    shown = [f"{m.value:.3f}" for m in metrics if m.strategy != "pass"]
    return max(shown) if len(set(shown)) > 1 else None


def _cell(metric: Metric | None, best: str | None) -> str:
    """Accuracy and interval, which a narrow terminal sets below it: it holds no space."""
    if metric is None:
        return ""
    value = f"{metric.value:.3f}"
    if metric.strategy != "pass" and value == best:
        value = f"[bold]{value}[/bold]"
    if metric.ci_low is None or metric.ci_high is None:
        return value
    low, high = (f"{end:.2f}".removeprefix("0") for end in (metric.ci_low, metric.ci_high))
    return f"{value} [dim]{low}-{high}[/dim]"
