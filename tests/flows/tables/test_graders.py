"""Tables and sentences of judges as graders, and of one judge less another."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from flows.tables.graders import (
    grader_words,
    graders_summary,
    graders_table_rows,
    judges_summary,
)
from schemas.metric_names import GRADING
from schemas.rows import Metric

AGREEMENT = Metric(
    policy="p",
    verifier="judge-a",
    strategy=GRADING,
    budget=None,
    bin="all",
    metric="agreement",
    value=0.75,
    ci_low=0.7,
    ci_high=0.8,
    num_problems=20,
    set_name="eval",
    against="exact-2",
)
NUM = replace(AGREEMENT, metric="num_graded", value=80.0, ci_low=None, ci_high=None)
LESS = replace(
    AGREEMENT, metric="agreement_difference", arm="judge-b", value=0.25, ci_low=-0.05, ci_high=0.5
)
COMPARED = replace(NUM, metric="num_compared", arm="judge-b", value=40.0)


@pytest.fixture
def shown():
    def show(table) -> list[str]:
        console = Console(file=io.StringIO(), width=160)
        console.print(table)
        return [" ".join(line.split()) for line in console.file.getvalue().split("\n")]  # type: ignore[attr-defined]

    return show


def test_differences_stand_apart_from_the_figures_of_a_judge(shown):
    rows = [NUM, AGREEMENT, COMPARED, LESS]
    lines = shown(graders_summary(rows))
    assert "graded solutions 80" in lines
    assert "agreement 0.750 .70-.80" in lines
    assert "judge-a judge-b exact-2 40 +0.250 -0.05..+0.50" in shown(judges_summary(rows))
    assert judges_summary([NUM, AGREEMENT]) is None


def test_pages_and_sentences_have_both():
    rows = [NUM, AGREEMENT, COMPARED, LESS]
    words = grader_words(rows)
    assert words == [
        "judge-a against exact-2 on p: 80 solutions, agreement 0.750 (.70-.80).",
        "judge-a less judge-b against exact-2 on p: agreement +0.250 (-0.05..+0.50).",
    ]
    assert [(row["figure"], row["value"]) for row in graders_table_rows(rows)] == [
        ("graded solutions", "80"),
        ("agreement", "0.750 (.70-.80)"),
        ("compared solutions", "40"),
        ("agreement", "+0.250 (-0.05..+0.50)"),
    ]
