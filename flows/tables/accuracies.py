"""Metrics as tables for a terminal: accuracy by strategy and budget, or by strategy and bin."""

from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from schemas.rows import Metric
from tasks.evaluation.solutions.picks import FIRST_ERROR_BIN
from tasks.evaluation.solutions.truth import BEFORE_ANSWER
from tasks.evaluation.solutions.verifier_quality import UP_TO_FIRST_ERROR

_LABEL_FIGURES = {
    "labelled_steps": "labelled steps",
    "unlabelled_rate": "steps without a label",
    "label_agreement": "agreement with the truth",
    "label_precision": "precision of right",
    "label_recall": "recall of right",
    "soft_auc": "AUC of soft labels",
}
_SCORE_FIGURES = {
    "step_auc": "step AUC",
    "step_calibration_error": "calibration error",
    "step_log_loss": "log loss (nats)",
}
_POOL_FIGURES = {"right_through_wrong_step": "right answers through a wrong step"}
_BIN_WORDS = {
    "all": "",
    BEFORE_ANSWER: ", before the answer",
    UP_TO_FIRST_ERROR: ", up to the first error",
}


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
        title=f"Accuracy by strategy and N ({bin_name}, {num_problems} problems)"
        + _verifier_words(cells.values()),
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
        title=f"Accuracy by strategy and {kind.replace('_', ' ')} at N = {budget}"
        + _verifier_words(cells.values()),
        caption="in brackets: problems of the bin, interval by bootstrap over problems",
        box=SIMPLE_HEAD,
    )
    table.add_column("strategy", no_wrap=True)
    for name in bins:
        table.add_column(escape(f"{name.partition('=')[2]} ({sizes[name]})"), justify="right")
    best = {b: _best(m for (_, name), m in cells.items() if name == b) for b in bins}
    for strategy in sort_strategies({strategy for strategy, _ in cells}):
        row = [_cell(cells.get((strategy, name)), best[name]) for name in bins]
        name = "pass (any right)" if strategy == "pass" else strategy
        table.add_row(name.replace("[", r"\["), *row)
    return table


def truth_summary(metrics: Sequence[Metric]) -> Table | None:
    """Step labels and step scores against the truth; None where nothing was measured."""
    table = Table(title="Against the truth about each step", box=SIMPLE_HEAD)
    table.add_column("figure", overflow="fold")
    table.add_column("value", justify="right", no_wrap=True)
    for names in (_LABEL_FIGURES, _SCORE_FIGURES, _POOL_FIGURES):
        rows = [row for row in metrics if row.metric in names]
        rows.sort(key=lambda row: (row.bin != "all", row.bin not in _BIN_WORDS, row.bin))
        for group in sorted({_truth_group(row) for row in rows}):
            table.add_row(f"[bold]{escape(group)}[/bold]")
            for name, words in names.items():
                for row in rows:
                    if row.metric == name and _truth_group(row) == group:
                        where = _BIN_WORDS.get(row.bin, f", {row.bin.partition('=')[2]}")
                        table.add_row(f"  {words}{where}", _cell(row, None))
    return table if table.row_count else None


def pick_summary(metrics: Sequence[Metric]) -> Table | None:
    """First error x N: how many best of N picks have it; None where nothing was measured."""
    rows = [row for row in metrics if row.metric == "picks"]
    if not rows:
        return None
    budgets = sorted({row.budget for row in rows if row.budget is not None})
    cells = {(row.bin, row.budget): row.value for row in rows}
    table = Table(
        title=f"First error of the pick of {escape(rows[0].strategy)}" + _verifier_words(rows),
        caption="expected number of problems; N = 1 is what the policy writes",
        box=SIMPLE_HEAD,
    )
    table.add_column("first error", no_wrap=True)
    for budget in budgets:
        table.add_column(f"N = {budget}", justify="right")
    last = budgets[-1]
    for name in sorted({row.bin for row in rows}, key=lambda b: -cells.get((b, last), 0.0)):
        shown = [f"{cells[name, k]:.1f}" if (name, k) in cells else "" for k in budgets]
        table.add_row(name.removeprefix(FIRST_ERROR_BIN), *shown)
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


def figure_words(metric: Metric | None) -> str:
    """A share and its interval, as in `0.500 (.40-.60)`; nothing where there is no figure."""
    if metric is None:
        return ""
    if metric.ci_low is None or metric.ci_high is None:
        return f"{metric.value:.3f}"
    low, high = (f"{end:.2f}".removeprefix("0") for end in (metric.ci_low, metric.ci_high))
    return f"{metric.value:.3f} ({low}-{high})"


def bin_order(name: str) -> tuple[float, str]:
    """Sorts bins by number where they have one, by text otherwise."""
    text = name.partition("=")[2]
    return (float(text) if text.isdigit() else float("inf"), text)


def _truth_group(row: Metric) -> str:
    """What a figure of the truth is about."""
    if row.verifier is not None:
        reference = row.strategy.partition("[")[2].removesuffix("]")
        return f"step scores of {row.verifier} against {reference}"
    if row.metric in _POOL_FIGURES:
        return f"solutions of {row.policy}"
    return f"step labels {row.strategy} of {row.policy}"


def _verifier_words(metrics: Iterable[Metric]) -> str:
    """A second line of a title that names the verifier, where there is just one."""
    names = {m.verifier for m in metrics if m.verifier is not None}
    return f"\nverifier {escape(names.pop())}" if len(names) == 1 else ""


def _best(metrics: Iterable[Metric]) -> str | None:
    """The highest accuracy as shown; None where nothing stands out."""
    shown = [f"{m.value:.3f}" for m in metrics if m.strategy != "pass"]
    return max(shown) if len(set(shown)) > 1 else None


def _cell(metric: Metric | None, best: str | None) -> str:
    """Accuracy and interval, which a narrow terminal sets below it: it holds no space."""
    if metric is None:
        return ""
    value = f"{metric.value:.3f}" if metric.metric != "labelled_steps" else f"{metric.value:,.0f}"
    if metric.strategy != "pass" and value == best:
        value = f"[bold]{value}[/bold]"
    if metric.ci_low is None or metric.ci_high is None:
        return value
    low, high = (f"{end:.2f}".removeprefix("0") for end in (metric.ci_low, metric.ci_high))
    return f"{value} [dim]{low}-{high}[/dim]"
