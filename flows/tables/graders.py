"""How judges and ensembles agree with exact graders, and where graders disagree, as tables."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from flows.tables.accuracies import figure_cell, figures_table
from flows.tables.critiqued import STYLES, VERDICT_WORDS
from flows.tables.figures import figure_words, value_words
from flows.tables.names import GLOSSARY, GRADER_FIGURES, JUDGE_DIFFERENCES
from flows.tables.output import visible
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.graders import compared_judges, measured_graders

Rows = Sequence[Mapping[str, Any]]

_BIN_FIGURES = ("agreement", "kappa", "false_positive_rate", "false_negative_rate")
_MAX_PROBLEMS = 10


def graders_summary(metrics: Sequence[Metric]) -> Table | None:
    """A column per judge or ensemble, a row per figure; None if none was measured."""
    measured = measured_graders(metrics)
    if not measured:
        return None
    columns = {
        _heading(key): {GRADER_FIGURES[row.metric]: row for row in rows if row.bin == "all"}
        for key, rows in measured.items()
    }
    caption = "against a grader without a model or the one asked for, interval by bootstrap"
    return figures_table("Graders", caption, columns, GRADER_FIGURES.values())


def grader_bins_summary(metrics: Sequence[Metric], kind: str) -> Table | None:
    """Grader x bin of a kind; None if it was not measured."""
    table = Table(title=f"Graders by {kind.replace('_', ' ')}", caption=GLOSSARY, box=SIMPLE_HEAD)
    for name in ("grader", kind.replace("_", " ")):
        table.add_column(name, overflow="fold")
    for name in ("num_graded", *_BIN_FIGURES):
        table.add_column(GRADER_FIGURES[name], justify="right")
    for key, rows in measured_graders(metrics).items():
        bins = {where for row in rows if (where := Bin.parse(row.bin)).kind == kind}
        for place, where in enumerate(sorted(bins, key=lambda each: each.order)):
            of = {row.metric: value_words(row) for row in rows if row.bin == str(where)}
            figures = (of.get(name, "") for name in ("num_graded", *_BIN_FIGURES))
            table.add_row("" if place else escape(_heading(key)), escape(where.value), *figures)
    return table if table.row_count else None


def judges_summary(metrics: Sequence[Metric]) -> Table | None:
    """A row per pair of judges: figures of the one less those of the other; None without pairs."""
    pairs = compared_judges(metrics)
    if not pairs:
        return None
    table = Table(
        title="Judges compared",
        caption=f"the first less the second on the solutions that both decide; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    for name in ("judge", "less", "against"):
        table.add_column(name, overflow="fold")
    for words in JUDGE_DIFFERENCES.values():
        table.add_column(words, justify="right")
    several = len({policy for policy, *_ in pairs}) > 1
    for (policy, one, other, against), of in pairs.items():
        names = f"{one} on {policy}" if several else one, other, against
        cells = (figure_cell(of.get(metric)) for metric in JUDGE_DIFFERENCES)
        table.add_row(*map(escape, names), *cells)
    return table


def grader_words(metrics: Sequence[Metric]) -> list[str]:
    """What each judge or ensemble gets wrong, in a sentence each."""
    sentences = []
    for key, rows in measured_graders(metrics).items():
        found = {row.metric: figure_words(row) for row in rows if row.bin == "all"}
        parts = [
            f"{GRADER_FIGURES[name]} {found[name]}"
            for name in (*_BIN_FIGURES, "undecided_rate", "self_preference")
            if name in found
        ]
        num = next((f"{r.value:,.0f}" for r in rows if r.metric == "num_graded"), "0")
        sentences.append(f"{_heading(key)}: {num} solutions, {', '.join(parts)}.")
    for (policy, one, other, against), of in compared_judges(metrics).items():
        parts = [
            f"{words} {figure_words(of[metric])}"
            for metric, words in JUDGE_DIFFERENCES.items()
            if metric in of and metric != "num_compared"
        ]
        heading = f"{one} less {other} against {against} on {policy}"
        sentences.append(f"{heading}: {', '.join(parts)}.")
    return sentences


def graders_table_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row per grader and figure, for pages."""
    return [
        {
            "grader": _heading(key),
            "problems": row.bin,
            "figure": GRADER_FIGURES[row.metric],
            "value": figure_words(row),
        }
        for key, rows in measured_graders(metrics).items()
        for row in rows
    ] + [
        {
            "grader": f"{one} less {other} against {against} on {policy}",
            "problems": row.bin,
            "figure": JUDGE_DIFFERENCES[row.metric],
            "value": figure_words(row),
        }
        for (policy, one, other, against), of in compared_judges(metrics).items()
        for row in of.values()
    ]


def disagreements_summary(rows: Rows) -> Table | None:
    """Problems on whose solutions graders disagree most, with both answers of one; None without.

    Args:
        rows: of the statement `disagreements_of_run`.
    """
    if not rows:
        return None
    num = sum(row["num_solutions"] for row in rows)
    table = Table(
        title="Where graders disagree",
        caption=f"{num:,} solutions; `grader_disagreements` lists them; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    for name in ("problem", "gold", "solutions", "grader", "says", "other", "says", "for example"):
        table.add_column(name, overflow="fold", justify="right" if name == "solutions" else "left")
    for row in rows[:_MAX_PROBLEMS]:
        example = row["example"]
        table.add_row(
            Text(visible(row["problem_id"])),
            Text(visible(str(row["gold"] or ""))),
            f"{row['num_solutions']:,}",
            Text(visible(row["grader"])),
            _said(example["answer"], example["correct"]),
            Text(visible(row["other"])),
            _said(example["other_answer"], example["other_correct"]),
            Text(visible(example["trajectory_id"])),
        )
    return table


def verdicts_table(verdicts: Rows, judgements: Rows) -> Table:
    """What each grader says of a solution, with the judges' words."""
    table = Table(title="Graders", box=SIMPLE_HEAD)
    for name in ("grader", "says", "judgement"):
        table.add_column(name, overflow="fold")
    for verdict in verdicts:
        words = [each for each in judgements if each["grader"] == verdict["grader"]]
        text = "\n---\n".join(_judgement_words(each) for each in words)
        said = _said(verdict["answer"], verdict["correct"])
        table.add_row(Text(visible(verdict["grader"])), said, Text(visible(text)))
    return table


def _judgement_words(row: Mapping[str, Any]) -> str:
    fault = f" ({row['fault']})" if row["fault"] else ""
    return f"{row['text'].strip()}{fault}".strip()


def _said(answer: str | None, correct: bool | None) -> Text:
    words = "no answer" if answer is None else visible(answer)
    return Text(f"{words}: {VERDICT_WORDS[correct]}", style=STYLES[correct])


def _heading(key: tuple[str, str, str]) -> str:
    policy, grader, against = key
    return f"{grader} against {against} on {policy}"
