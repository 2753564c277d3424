"""Figures of a consensus by hand."""

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import StepLabel
from tasks.evaluation.solutions.audits import measure_audits
from tasks.evaluation.solutions.consensus import count_agreement, measure_consensus

FIRST, SECOND = "monte_carlo[n=8]", "second[checker]"
KEPT = "consensus[monte_carlo[n=8],checker]"


def labels_of(trajectory_id, method, hard):
    return [
        StepLabel(
            trajectory_id=trajectory_id,
            step_index=index,
            method=method,
            completer="policy-0",
            evidence="answer" if index == len(hard) - 1 else "inferred",
            num_rollouts=0,
            num_correct=0,
            soft=None,
            hard=label,
            ci_low=None,
            ci_high=None,
        )
        for index, label in enumerate(hard)
    ]


LABELS = [
    *labels_of("kept", FIRST, [True, False, False]),
    *labels_of("kept", SECOND, [True, False, False]),
    *labels_of("kept", KEPT, [True, False, False]),
    *labels_of("dropped", FIRST, [True, True, None, False]),
    *labels_of("dropped", SECOND, [True, False, False, False]),
    *labels_of("unknown", FIRST, [True, False]),
]


def test_the_answer_and_steps_that_one_did_not_label_are_left_out():
    (found,) = count_agreement(LABELS)
    assert (found.method, found.second) == (KEPT, SECOND)
    assert (found.num_agreed, len(found.pairs)) == (3, 4)
    assert str(found) == (
        "3 of 4 steps have the same label by second[checker]; 1 of 3 solutions are kept"
    )


def test_figures_say_how_often_both_agree_and_what_is_kept():
    problem_of = {"kept": "p0", "dropped": "p0", "unknown": "p1"}
    rows = measure_consensus(LABELS, problem_of, EvaluationConfig(), policy="policy-0")
    found = [(row.metric, row.value, row.strategy, row.against, row.num_problems) for row in rows]
    assert found == [
        ("consensus_agreement", 0.75, KEPT, SECOND, 2),
        ("consensus_kept", pytest.approx(1 / 3), KEPT, SECOND, 2),
    ]
    # What a consensus stored beside its labels is no audit of them.
    assert measure_audits(LABELS, problem_of, EvaluationConfig(), policy="policy-0") == []


def test_without_a_second_labeller_there_is_nothing_to_compare():
    assert count_agreement(labels_of("t", FIRST, [True])) == []
    assert count_agreement(labels_of("t", SECOND, [True])) == []


def test_a_consensus_that_keeps_nothing_is_counted_too():
    audit = labels_of("dropped", "monte_carlo[n=9]", [True, True, True, False])
    nothing = [label for label in LABELS if label.method != KEPT]
    (found,) = count_agreement([*audit, *nothing])
    assert (found.method, found.num_agreed, len(found.pairs), len(found.kept)) == (KEPT, 3, 4, 0)
