"""Metrics of searches as tables for a terminal: what each strategy reached and spent."""

import re
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from schemas.rows import Metric

_OPTIMAL = "compute_optimal["
_CHOSEN = re.compile(r"chosen\[(?P<cell>.+)\]")
_GAINS = {"gain_over[": "gain at its N", "gain_at_equal_tokens[": "gain at its tokens"}
_FIGURES = {
    "generated_tokens": "written",
    "scored_tokens": "verified",
    "difficulty_tokens": "for difficulty",
    "unfinished_rate": "unfinished",
}


def search_rows(metrics: Sequence[Metric], *, of_selection: bool = False) -> list[dict[str, str]]:
    """A row of words per strategy and N: accuracy, gains, tokens per problem, problems/s.

    Args:
        metrics: of one policy and verifier.
        of_selection: of compute-optimal selection; else of the strategies' main picks.
    """
    found = {(m.strategy, m.budget, m.metric): m for m in metrics if m.bin == "all"}
    names = [name for name in _names(metrics) if name.startswith(_OPTIMAL) == of_selection]
    rows = []
    for name in names:
        for budget in sorted(b or 0 for n, b, kind in found if (n, kind) == (name, "accuracy")):
            figures = {kind: m for (n, b, kind), m in found.items() if (n, b) == (name, budget)}
            row = {"strategy": name, "N": str(budget), "accuracy": _words(figures["accuracy"])}
            for start, words in _GAINS.items():
                row[words] = _words(
                    next((m for k, m in figures.items() if k.startswith(start)), None)
                )
            row |= {words: _words(figures.get(kind)) for kind, words in _FIGURES.items()}
            spent = figures.get("engine_s")
            row["problems/s"] = "" if spent is None else f"{1 / spent.value:,.2f}"
            rows.append(row)
    used = {name for row in rows for name, words in row.items() if words}
    return [{name: words for name, words in row.items() if name in used} for row in rows]


def search_summary(metrics: Sequence[Metric]) -> Table:
    """Every strategy at every N.

    Raises:
        ValueError: there is no accuracy.
    """
    rows = search_rows(metrics)
    if not rows:
        raise ValueError(f"expected accuracies of searches, got none among {len(metrics)} figures")
    num_problems = max(m.num_problems for m in metrics if m.bin == "all")
    verifiers = {m.verifier for m in metrics if m.verifier is not None}
    words = f"\nverifier {escape(', '.join(sorted(verifiers)))}" if verifiers else ""
    baseline = next((m.metric for m in metrics if m.metric.startswith("gain_over[")), "")
    over = f"gains over {escape(baseline[10:-1])} at the same N, or for the same tokens;\n"
    return _table(
        rows,
        title=f"Searches, {num_problems} problems{words}",
        caption=f"{over if baseline else ''}tokens per problem that the policy wrote and the "
        "verifier computed;\nproblems/s of one actor; intervals by bootstrap over problems",
    )


def selection_summary(metrics: Sequence[Metric]) -> Table | None:
    """Compute-optimal selection by each kind of difficulty; None where nothing was selected."""
    rows = search_rows(metrics, of_selection=True)
    if not rows:
        return None
    return _table(
        [{"difficulty": row.pop("strategy").removeprefix(_OPTIMAL)[:-1], **row} for row in rows],
        title="Compute-optimal selection",
        caption="chosen on one half of the problems, reported on the other; with `tokens`: among\n"
        "all that takes no more tokens than best of N; for difficulty: tokens to estimate it",
    )


def choice_summary(metrics: Sequence[Metric]) -> Table | None:
    """What compute-optimal selection chose for each difficulty and N; None where it did not.

    A bin's two folds choose for each other; where they disagree both choices stand.
    """
    chosen: dict[tuple[str, str, int], list[str]] = {}
    for row in sorted(metrics, key=lambda row: (row.strategy, row.bin)):
        match = _CHOSEN.fullmatch(row.metric)
        if match and row.budget is not None:
            level = row.bin.rpartition(",fold=")[0]
            chosen.setdefault((row.strategy, level, row.budget), []).append(match["cell"])
    if not chosen:
        return None
    budgets = sorted({budget for _, _, budget in chosen})
    rows = []
    for strategy, level in dict.fromkeys((strategy, level) for strategy, level, _ in chosen):
        cells = {
            k: " / ".join(dict.fromkeys(chosen.get((strategy, level, k), ()))) for k in budgets
        }
        by_tokens = strategy.endswith(",tokens]")
        rows.append(
            {
                "difficulty": level,
                "budget": "tokens of best of N" if by_tokens else "N",
                **{f"N = {k}": words for k, words in cells.items()},
            }
        )
    return _table(rows, title="Compute-optimal: what each difficulty is searched with")


def is_main(row: Metric) -> bool:
    """Whether a figure is about a strategy's main pick, or about a selection of strategies."""
    return "/" not in row.strategy


def main_strategies(metrics: Iterable[Metric]) -> list[str]:
    """The strategies of main picks in order, without selections of them."""
    return [name for name in _names(metrics) if not name.startswith(_OPTIMAL)]


def _names(metrics: Iterable[Metric]) -> list[str]:
    return list(dict.fromkeys(m.strategy for m in metrics if is_main(m)))


def _table(rows: Sequence[dict[str, str]], *, title: str, caption: str | None = None) -> Table:
    """Rows of words under their names."""
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        is_text = name in ("strategy", "difficulty", "budget")
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(row.get(name, "")) for name in names))
    return table


def _words(metric: Metric | None) -> str:
    if metric is None:
        return ""
    if metric.metric.endswith("_tokens"):
        return f"{metric.value:,.0f}"
    if metric.metric.endswith("_rate"):
        return f"{metric.value:.3f}" if metric.value else ""
    is_gain = metric.metric.startswith("gain_")
    value = f"{metric.value:+.3f}" if is_gain else f"{metric.value:.3f}"
    if metric.ci_low is None or metric.ci_high is None:
        return value
    ends = (metric.ci_low, metric.ci_high)
    low, high = (f"{end:+.2f}" if is_gain else f"{end:.2f}" for end in ends)
    return f"{value} ({low}..{high})"
