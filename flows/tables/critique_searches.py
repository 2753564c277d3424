"""Metrics of searches by critique as tables: votes against plain ones, and what changes."""

from collections.abc import Sequence
from dataclasses import replace

from rich.table import Table

from flows.tables.accuracies import verifier_words
from flows.tables.figures import figure_words
from flows.tables.names import CRITIQUE_FIGURES, CRITIQUE_VOTES, GLOSSARY
from flows.tables.searches import word_table
from schemas.metric_names import Bin
from schemas.rows import Metric

_TABLES = (
    (
        "Critique at test time: votes",
        CRITIQUE_VOTES,
        "accuracy of votes: of what stands after each round, of the first attempts alone, of\n"
        "what stands at the end, of all attempts; plain: of as many independent solutions;\n"
        "tokens per problem that were written, and read as prompts;",
    ),
    (
        "Critique at test time: attempts",
        CRITIQUE_FIGURES,
        "any right: among those that vote; by round: from the first attempts on;",
    ),
)


def critique_tables(
    metrics: Sequence[Metric], *, kind: str | None = None, budget: int | None = None
) -> list[Table]:
    """Two tables of the searches by critique; none if there is no such search.

    Args:
        metrics: of one policy and verifier.
        kind: a kind of bins, for a row per bin at one budget; None for all problems.
        budget: that budget; None for the largest.
    """
    return [
        word_table(
            rows, title=f"{title}{verifier_words(metrics)}", caption=f"{caption}\n{GLOSSARY}"
        )
        for (title, _, caption), rows in zip(
            _TABLES, critique_words(metrics, kind=kind, budget=budget), strict=True
        )
        if rows
    ]


def critique_words(
    metrics: Sequence[Metric], *, kind: str | None = None, budget: int | None = None
) -> list[list[dict[str, str]]]:
    """The rows of words of both tables; arguments as for `critique_tables`."""
    found = _by_row(metrics, kind, budget)
    return [_words(found, figures) for _, figures, _ in _TABLES]


def _by_row(
    metrics: Sequence[Metric], kind: str | None, budget: int | None
) -> dict[tuple[str, int, str], list[Metric]]:
    """The figures of each search and bin, in order."""
    critiqued = {(m.strategy, m.budget) for m in metrics if m.metric == "right_after"}
    largest = max((b for _, b in critiqued if b is not None), default=0)
    found: dict[tuple[str, int, str], list[Metric]] = {}
    for row in metrics:
        if (row.strategy, row.budget) not in critiqued or row.budget is None:
            continue
        where = Bin.parse(row.bin)
        if where.kind != kind or (kind is not None and row.budget != (budget or largest)):
            continue
        found.setdefault((row.strategy, row.budget, row.bin), []).append(row)
    return dict(sorted(found.items(), key=lambda item: (*item[0][:2], Bin.parse(item[0][2]).order)))


def _words(
    found: dict[tuple[str, int, str], list[Metric]], figures: dict[tuple[str, str | None], str]
) -> list[dict[str, str]]:
    """A row of words per search and bin; columns without a word are left out."""
    rows = []
    for (strategy, budget, where), metrics in found.items():
        row = {"strategy": strategy, "N": str(budget)}
        row |= {} if where == "all" else {Bin.parse(where).kind or "": Bin.parse(where).value}
        by_name = {(m.metric, m.pick or m.arm): m for m in metrics}
        for name, title in figures.items():
            row[title] = _short(by_name.get(name))
        if ("wrong_to_right", None) in figures:
            rounds = [m for m in metrics if m.metric == "right_after"]
            rounds.sort(key=lambda m: int(m.arm or 0))
            row["right by round"] = " ".join(f"{m.value:.3f}".removeprefix("0") for m in rounds)
        rows.append(row)
    used = {name for row in rows for name, words in row.items() if words}
    return [{name: words for name, words in row.items() if name in used} for row in rows]


def _short(metric: Metric | None) -> str:
    """A figure, its interval only where it is a gain."""
    if metric is None:
        return ""
    is_gain = metric.metric.startswith("gain_")
    return figure_words(metric if is_gain else replace(metric, ci_low=None))
