from dataclasses import replace

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import Step, StepLabel
from tasks.evaluation.solutions.truth import (
    BEFORE_ANSWER,
    check_solutions,
    first_error,
    kinds_of_labels,
    measure_labels,
)
from tasks.evaluation.statistics.intervals import wilson_interval

CONFIG = EvaluationConfig(num_bootstrap=200)


def label(
    trajectory_id: str, step_index: int, hard: bool | None, soft: float | None = None, **fields
):
    row = StepLabel(
        trajectory_id=trajectory_id,
        step_index=step_index,
        method="m",
        completer="policy",
        evidence="rollouts",
        num_rollouts=8,
        num_correct=4,
        soft=soft,
        hard=hard,
        ci_low=None,
        ci_high=None,
    )
    return replace(row, **fields)


def of(rows, metric, bin_name="all", strategy="m"):
    found = [
        row for row in rows if (row.metric, row.bin, row.strategy) == (metric, bin_name, strategy)
    ]
    assert len(found) <= 1
    return found[0] if found else None


@pytest.fixture
def solutions(make_trajectory):
    """Three solutions of three steps, of two problems."""
    steps = tuple(Step(text=f"{i}\n", num_tokens=1) for i in range(3))
    return [
        make_trajectory(name, problem_id=problem, steps=steps)
        for name, problem in (("a", "p0"), ("b", "p1"), ("c", "p1"))
    ]


TRUTH = {
    "a": ("ok", "ok", "ok"),
    "b": ("ok", "wrong_op", "after"),
    "c": ("slip", "after", None),
}
LABELS = [
    label("a", 0, True, 1.0),
    label("a", 1, True, 0.5),
    label("a", 2, True, 1.0, evidence="answer", num_rollouts=0),
    label("b", 0, False, 0.0),
    label("b", 1, True, 0.125),
    label("b", 2, False, 0.0, evidence="answer", num_rollouts=0),
    label("c", 0, False, 0.0),
    label("c", 1, None),
    label("c", 2, True, 1.0),
]


def test_label_quality_by_hand(solutions):
    """Known truth and hard label: seven steps, 5 agree; claimed right 4, truly right 4, both 3."""
    rows = measure_labels(solutions, LABELS, TRUTH, CONFIG, policy="policy")
    expected = {
        "label_agreement": (5, 7),
        "label_precision": (3, 4),
        "label_recall": (3, 4),
        "unlabelled_rate": (1, 9),
    }
    for name, (num, total) in expected.items():
        row = of(rows, name)
        assert row is not None
        assert (row.value, (row.ci_low, row.ci_high)) == (num / total, wilson_interval(num, total))
        assert (row.num_problems, row.budget, row.policy, row.verifier) == (2, None, "policy", None)
    counted = of(rows, "labelled_steps")
    assert counted is not None
    assert counted.value == 8.0
    # Right steps score 1, .5, 1, 0, wrong ones .125, 0, 0: 9 wins and 2 ties of 12 pairs.
    ranked = of(rows, "soft_auc")
    assert ranked is not None
    assert ranked.value == pytest.approx(10 / 12)


def test_steps_labelled_by_the_answer_can_be_left_out(solutions):
    rows = measure_labels(solutions, LABELS, TRUTH, CONFIG, policy="policy")
    for name, value in (
        ("label_agreement", 3 / 5),
        ("label_precision", 2 / 3),
        ("label_recall", 2 / 3),
        ("soft_auc", 4.5 / 6),
    ):
        row = of(rows, name, BEFORE_ANSWER)
        assert row is not None
        assert row.value == pytest.approx(value), name


def test_every_method_is_measured_by_itself(solutions):
    others = [replace(row, method="checker", hard=True) for row in LABELS[:3]]
    rows = measure_labels(solutions, [*LABELS, *others], TRUTH, CONFIG, policy="policy")
    first, second = of(rows, "label_agreement"), of(rows, "label_agreement", strategy="checker")
    assert first is not None
    assert second is not None
    assert (first.value, second.value, second.num_problems) == (5 / 7, 1.0, 1)


def test_without_a_wrong_step_there_is_no_auc(solutions):
    rows = measure_labels(solutions[:1], LABELS[:3], TRUTH, CONFIG, policy="policy")
    figures = {row.metric: row.value for row in rows if row.bin == "all"}
    assert figures == {
        "labelled_steps": 3.0,
        "unlabelled_rate": 0.0,
        "label_agreement": 1.0,
        "label_precision": 1.0,
        "label_recall": 1.0,
    }


def test_all_unlabelled_or_without_truth_only_coverage_is_known(solutions):
    blank = [replace(row, hard=None, soft=None) for row in LABELS]
    rows = measure_labels(solutions, blank, TRUTH, CONFIG, policy="policy")
    assert {row.metric: row.value for row in rows} == {"labelled_steps": 0, "unlabelled_rate": 1}
    rows = measure_labels(solutions, LABELS, {}, CONFIG, policy="policy")
    assert {row.metric for row in rows} == {"labelled_steps", "unlabelled_rate"}
    assert measure_labels(solutions, [], TRUTH, CONFIG, policy="policy") == []


def test_a_label_without_its_step_is_refused(solutions):
    with pytest.raises(ValueError, match=r"step 3 of trajectory a: .* got one of 3 steps"):
        measure_labels(solutions, [label("a", 3, True)], TRUTH, CONFIG, policy="policy")
    with pytest.raises(ValueError, match=r"step 0 of trajectory z: .* got another"):
        measure_labels(solutions, [label("z", 0, True)], TRUTH, CONFIG, policy="policy")


def test_equal_solutions_are_checked_once_and_half_a_step_is_unknown(make_problem, solutions):
    asked = []

    def kinds(question, steps):
        asked.append((question, len(steps)))
        return ["ok", "slip", "after"]

    problems = [make_problem("p0"), make_problem("p1")]
    cut = replace(solutions[2], status="truncated", correct=None, answer=None)
    found = check_solutions(problems, [*solutions[:2], cut], kinds)
    assert asked == [("p0?", 3), ("p1?", 3)]
    assert found == {
        "a": ("ok", "slip", "after"),
        "b": ("ok", "slip", "after"),
        "c": ("ok", "slip", None),
    }
    empty = replace(cut, steps=())
    assert check_solutions(problems, [empty], lambda question, steps: []) == {"c": ()}


def test_a_checker_that_does_not_fit_is_refused(make_problem, solutions):
    with pytest.raises(ValueError, match="trajectory a: expected 3 kinds of the checker, got 1"):
        check_solutions([make_problem("p0")], solutions[:1], lambda question, steps: ["ok"])
    with pytest.raises(ValueError, match="trajectory b: its problem p1 is not among the 1 given"):
        check_solutions([make_problem("p0")], solutions[1:], lambda question, steps: ["ok"] * 3)


def test_labels_as_truth_know_the_first_error():
    rows = [label("a", 1, None), label("a", 0, True), label("a", 2, False), label("a", 4, False)]
    assert kinds_of_labels([*rows, label("b", 0, False)]) == {
        "a": ("ok", None, "wrong", None, "after"),
        "b": ("wrong",),
    }


def test_first_errors_are_named():
    assert first_error(("ok", "slip", "after"), is_correct=False) == "slip"
    assert first_error(("ok", "slip", "after"), is_correct=True) == "slip"
    assert first_error(("ok", "ok"), is_correct=True) == "none"
    assert first_error(("ok", None), is_correct=False) == "unfinished"
    assert first_error((), is_correct=False) == "unfinished"
