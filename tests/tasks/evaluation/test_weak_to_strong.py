"""Figures of weak-to-strong training from rows, by hand."""

import numpy as np
import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import StepScores
from tasks.evaluation.weak_to_strong import (
    gap_figures,
    solved_shares,
    verifier_shares,
)

CONFIG = EvaluationConfig(num_bootstrap=200)
POLICIES = {arm: f"{arm}-id" for arm in ("weak", "student", "confident", "ceiling")}


@pytest.fixture
def problems(make_problem):
    return [make_problem(f"p{i}") for i in range(3)]


def test_a_policy_is_measured_by_the_share_of_its_solutions(problems, make_trajectory):
    samples = [
        make_trajectory("a", problem_id="p0", correct=True),
        make_trajectory("b", problem_id="p0", correct=False),
        make_trajectory("c", problem_id="p1", correct=None),
        make_trajectory("d", problem_id="p2", correct=None, answer=None, status="truncated"),
    ]
    shares = solved_shares(problems, samples)
    assert shares[0] == 0.5
    assert np.isnan(shares[1])
    assert shares[2] == 0


def scores(name, *values, error=None):
    return StepScores(
        trajectory_id=name,
        verifier="v",
        scores=values,
        scored_tokens=1,
        cached_tokens=0,
        error=error,
    )


def test_a_verifier_is_measured_on_steps_answers_and_choices(problems, make_trajectory):
    samples = [
        make_trajectory("a", problem_id="p0", correct=True),
        make_trajectory("b", problem_id="p0", correct=False),
        make_trajectory("c", problem_id="p1", correct=False),
        make_trajectory("d", problem_id="p2", correct=True),
    ]
    truth = {"a": ("ok", "ok"), "b": ("ok", "slip", "after"), "c": ("slip", None)}
    given = [
        scores("a", 0.9, 0.6),  # both steps called right, as they are; least .6: right
        scores("b", 0.9, 0.5, 0.1),  # at one half a step is called right
        scores("c", 0.8, 0.7),  # one wrong step called right; the other unknown
        scores("d", 0.9, error="too long"),
    ]
    found = verifier_shares(problems, samples, given, truth)
    assert found["steps"][:2].tolist() == [pytest.approx(4 / 5), 0.0]
    assert found["answers"][:2].tolist() == [1.0, 0.0]
    assert found["best_of_n"][:2].tolist() == [1.0, 0.0]
    assert all(np.isnan(found[name][2]) for name in found)


def test_figures_of_four_models():
    shares = {
        "weak": np.array([0.6] * 4),
        "student": np.array([0.72] * 4),
        "confident": np.array([0.76] * 4),
        "ceiling": np.array([0.8] * 4),
    }
    rows = gap_figures(shares, CONFIG, strategy="policy", policies=POLICIES)
    found = {(row.metric, row.arm, row.against): row for row in rows}
    assert found["accuracy", "weak", None].value == pytest.approx(0.6)
    assert found["gain_over", "student", "weak"].value == pytest.approx(0.12)
    assert found["gain_over", "confident", "student"].value == pytest.approx(0.04)
    assert found["gain_over", "ceiling", "weak"].value == pytest.approx(0.2)
    assert found["gap_recovered", "student", None].value == pytest.approx(0.6)
    assert found["gap_recovered", "confident", None].value == pytest.approx(0.8)
    assert found["gap_recovered", "confident", None].policy == "confident-id"
    assert {row.strategy for row in rows} == {"policy"}


def test_no_gap_is_recovered_where_there_is_none():
    shares = {"weak": np.array([0.6, 0.7]), "student": np.array([0.9, 0.9])}
    shares["ceiling"] = shares["weak"]
    rows = gap_figures(shares, CONFIG, strategy="steps", policies=POLICIES, verifiers=POLICIES)
    assert {row.metric for row in rows} == {"accuracy", "gain_over"}
    assert {row.verifier for row in rows if row.arm == "student"} == {"student-id"}


def test_a_missing_ceiling_is_named():
    shares = {"weak": np.zeros(2), "student": np.ones(2)}
    with pytest.raises(ValueError, match="policy: expected figures of ceiling, got none"):
        gap_figures(shares, CONFIG, strategy="policy", policies=POLICIES)
