"""A loop's rounds as a table for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.tables.figures import figure_words
from flows.tables.names import (
    CRITIQUE_ROUND_FIGURES,
    GLOSSARY,
    MORE_ROUND_ACCURACIES,
    ROUND_FIGURES,
)
from schemas.rows import Metric
from tasks.evaluation.rounds import arms_of, figures_of, labels_of


def round_table_rows(metrics: Sequence[Metric]) -> list[dict[str, str]]:
    """A row per policy: its figures with intervals, and what it was made from."""
    measured = measured_names(metrics)
    shown = dict(ROUND_FIGURES)
    known = {row.metric for row in metrics}
    if known & {"critiquing_tokens", "judge_auc", "mean_solution_tokens"}:
        shown |= {
            name: CRITIQUE_ROUND_FIGURES[name] for name in CRITIQUE_ROUND_FIGURES if name in known
        }
    rows = []
    for arm in arms_of(metrics):
        for label in labels_of(metrics, arm):
            figures = figures_of(metrics, arm, label)
            made_from = {
                title: form.format(figures[name].value) if name in figures else ""
                for name, (title, form) in shown.items()
            }
            reached = {name: figure_words(figures.get(name)) for name in measured}
            rows.append({"arm": arm, "round": label, **reached, **made_from})
    return rows


def rounds_summary(metrics: Sequence[Metric]) -> Table:
    """The rows of `round_table_rows` for a terminal.

    Raises:
        ValueError: the metrics are empty.
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


def measured_names(metrics: Sequence[Metric]) -> list[str]:
    """The names of the measured figures: pass@1, majorities, pass@k, then those without a k."""
    found = {(row.metric, row.budget) for row in metrics if row.budget is not None}

    def place(each: tuple[str, int]) -> tuple[bool, bool, int]:
        name, budget = each
        return name != "pass@1", name.startswith("pass@"), budget

    named = [(name, budget) for name, budget in found if budget is not None]
    shown = [each for each in sorted(named, key=place) if each[0] != "majority@1"]
    largest = max(budget for _, budget in shown)
    known = {row.metric for row in metrics}
    return [
        *(name for name, budget in shown if name == "pass@1" or budget == largest),
        *(name for name in MORE_ROUND_ACCURACIES if name in known),
    ]
