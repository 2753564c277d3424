"""Metrics of searches as tables for a terminal: the accuracy and cost of each strategy."""

from collections.abc import Sequence
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from flows.tables.accuracies import verifier_words
from flows.tables.figures import figure_words
from flows.tables.names import GLOSSARY, SEARCH_FIGURES
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.searches.compute_optimal_figures import OPTIMAL


def search_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row of words per strategy and N, for main picks: accuracy, gains, tokens, problems/s.

    Args:
        metrics: of one policy and verifier.
    """
    mains = main_rows(metrics)
    return _rows_of([(name, _of(mains, name)) for name in main_strategies(mains)], "strategy")


def search_summary(metrics: Sequence[Metric]) -> Table:
    """Every strategy at every N.

    Raises:
        ValueError: no accuracy is given.
    """
    rows = search_rows(metrics)
    if not rows:
        raise ValueError(f"expected accuracies of searches, got none among {len(metrics)} figures")
    num_problems = max(m.num_problems for m in metrics if m.bin == "all")
    baseline = next((m.against for m in metrics if m.metric == "gain_over"), None)
    over = "" if baseline is None else f"gains over {escape(baseline)} at the same N, or for the "
    over += "same tokens;\n" if over else ""
    return word_table(
        rows,
        title=f"Searches, {num_problems} problems{verifier_words(metrics)}",
        caption=f"{over}tokens per problem that the policy wrote and the verifier computed;\n"
        f"problems/s of one actor; intervals by bootstrap over problems; {GLOSSARY}",
    )


def selection_summary(metrics: Sequence[Metric]) -> Table | None:
    """Compute-optimal selection by each kind of difficulty; None if nothing was selected."""
    chosen = [row for row in metrics if row.strategy == OPTIMAL]
    picks = list(dict.fromkeys(row.pick for row in chosen if row.pick is not None))
    groups = [(pick, [row for row in chosen if row.pick == pick]) for pick in picks]
    rows = _rows_of(groups, "difficulty")
    if not rows:
        return None
    return word_table(
        rows,
        title="Compute-optimal selection",
        caption="chosen on one half of the problems, reported on the other; with `tokens`: among\n"
        "all that takes no more tokens than best of N; for difficulty: tokens to estimate it;\n"
        f"{GLOSSARY}",
    )


def choice_summary(metrics: Sequence[Metric]) -> Table | None:
    """What compute-optimal selection chose for each difficulty and N; None if it chose nothing.

    The two folds of a bin choose for each other; if they disagree, both choices are shown.
    """
    chosen: dict[tuple[str, str], dict[int, list[str]]] = {}
    for row in sorted(metrics, key=lambda row: (row.pick or "", row.bin)):
        if row.metric == "chosen" and row.budget is not None and row.arm is not None:
            level = str(replace(Bin.parse(row.bin), fold=None))
            by_budget = chosen.setdefault((row.pick or "", level), {})
            by_budget.setdefault(row.budget, []).append(row.arm)
    if not chosen:
        return None
    budgets = sorted({budget for by_budget in chosen.values() for budget in by_budget})
    rows = [
        {
            "difficulty": level,
            "budget": "tokens of best of N" if pick.endswith(",tokens") else "N",
            **{f"N = {k}": " / ".join(dict.fromkeys(by_budget.get(k, ()))) for k in budgets},
        }
        for (pick, level), by_budget in chosen.items()
    ]
    title = "Compute-optimal: what each difficulty is searched with"
    return word_table(rows, title=title, caption=GLOSSARY)


def main_rows(metrics: Sequence[Metric]) -> list[Metric]:
    """The figures of main picks, without selections among strategies."""
    return [row for row in metrics if row.pick is None]


def main_strategies(metrics: Sequence[Metric]) -> list[str]:
    """The strategies of main picks, in order."""
    return list(dict.fromkeys(row.strategy for row in main_rows(metrics)))


def _of(metrics: Sequence[Metric], strategy: str) -> list[Metric]:
    return [row for row in metrics if row.strategy == strategy]


def _rows_of(groups: Sequence[tuple[str, Sequence[Metric]]], heading: str) -> list[dict[str, str]]:
    """A row of words per group and N; columns without a word are left out."""
    rows = []
    for name, group in groups:
        found = {(row.budget or 0, row.metric): row for row in group if row.bin == "all"}
        for budget in sorted(budget for budget, metric in found if metric == "accuracy"):
            row = {heading: name, "N": str(budget)}
            row["accuracy"] = figure_words(found[budget, "accuracy"])
            for metric, words in SEARCH_FIGURES.items():
                row[words] = _words(found.get((budget, metric)))
            spent = found.get((budget, "engine_s"))
            row["problems/s"] = "" if spent is None else f"{1 / spent.value:,.2f}"
            rows.append(row)
    used = {name for row in rows for name, words in row.items() if words}
    return [{name: words for name, words in row.items() if name in used} for row in rows]


def _words(metric: Metric | None) -> str:
    """A figure; tokens and rates without intervals, a rate of 0 as an empty text."""
    if metric is None or (metric.metric.endswith("_rate") and not metric.value):
        return ""
    if metric.metric.startswith("gain_"):
        return figure_words(metric)
    return figure_words(replace(metric, ci_low=None))


def word_table(rows: Sequence[dict[str, str]], *, title: str, caption: str) -> Table:
    """Rows of words under their names."""
    table = Table(title=title, caption=caption, box=SIMPLE_HEAD)
    names = list(dict.fromkeys(name for row in rows for name in row))
    for name in names:
        is_text = name in ("strategy", "difficulty", "budget")
        table.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        table.add_row(*(escape(row.get(name, "")) for name in names))
    return table
