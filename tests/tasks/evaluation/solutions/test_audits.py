"""Labels of audited solutions against the plain ones, by hand."""

from dataclasses import replace

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import StepLabel
from schemas.step_labels import MonteCarloConfig
from tasks.evaluation.solutions.audits import audit_labels, measure_audits
from tasks.evaluation.statistics.intervals import wilson_interval

CONFIG = MonteCarloConfig(search="bisection")
PLAIN = CONFIG.without_shortcuts()


def labels_of(trajectory_id, config, verdicts):
    """One label per verdict; the last one is the answer's."""
    return [
        StepLabel(
            trajectory_id=trajectory_id,
            step_index=index,
            method=config.method,
            completer="policy-0",
            evidence="answer" if index == len(verdicts) - 1 else "inferred",
            num_rollouts=0,
            num_correct=0,
            soft=None,
            hard=verdict,
            ci_low=None,
            ci_high=None,
        )
        for index, verdict in enumerate(verdicts)
    ]


AUDITED = [
    *labels_of("agrees", CONFIG, [True, False, False]),
    *labels_of("agrees", PLAIN, [True, False, False]),
    *labels_of("repaired", CONFIG, [False, False, False, False]),
    *labels_of("repaired", PLAIN, [False, True, False, False]),
    *labels_of("lenient", CONFIG, [True, True, True]),
    *labels_of("lenient", PLAIN, [True, False, True]),
    *labels_of("gap", CONFIG, [True, None, False]),
    *labels_of("gap", PLAIN, [True, True, False]),
    *labels_of("not audited", CONFIG, [True, False]),
]


def test_disagreement_by_hand():
    audit = audit_labels(AUDITED, CONFIG.method, PLAIN.method)
    assert len(audit.trajectories) == 4
    assert audit.num_steps == 2 + 3 + 2 + 1
    assert (audit.num_wrongly_right, audit.num_wrongly_wrong) == (1, 1)
    assert audit.repaired == {"repaired"}
    assert audit.disagreement_rate == 2 / 8


def test_nothing_audited_is_no_rate():
    audit = audit_labels(labels_of("t0", CONFIG, [True, False]), CONFIG.method, PLAIN.method)
    assert audit.num_steps == 0
    assert audit.disagreement_rate is None


def measure(labels):
    problem_of = {label.trajectory_id: f"p{label.trajectory_id[0]}" for label in labels}
    return measure_audits(labels, problem_of, EvaluationConfig(), policy="pol")


def test_an_audit_becomes_figures_with_intervals():
    rows = measure(AUDITED)
    assert {(row.policy, row.strategy, row.against, row.verifier) for row in rows} == {
        ("pol", CONFIG.method, PLAIN.method, None)
    }
    whole = {row.metric: row.value for row in rows if row.bin == "all"}
    assert whole == {
        "audited_solutions": 4,
        "audited_steps": 8,
        "audit_disagreement": 2 / 8,
        "audit_wrongly_right": 1 / 8,
        "audit_wrongly_wrong": 1 / 8,
        "audit_repaired_rate": 1 / 4,
    }
    [rate] = [row for row in rows if (row.bin, row.metric) == ("all", "audit_disagreement")]
    assert (rate.ci_low, rate.ci_high) == pytest.approx(wilson_interval(2, 8))
    assert rate.num_problems == 4
    by_position = {row.bin: row.value for row in rows if row.bin != "all"}
    assert by_position == {"position=1": 0.0, "position=2": 2 / 3, "position=3": 0.0}


def test_labels_of_one_method_and_those_of_a_checker_are_no_audit():
    labels = labels_of("t0", CONFIG, [True, False, True])
    assert measure(labels) == []
    checked = [replace(label, method="checker", evidence="checker") for label in labels]
    assert measure([*labels, *checked]) == []


def test_stopping_at_the_first_hit_needs_no_audit():
    assert not MonteCarloConfig(stopping="first_hit").needs_audit
    assert MonteCarloConfig(stopping="confidence").needs_audit
