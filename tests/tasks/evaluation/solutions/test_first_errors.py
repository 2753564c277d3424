"""First-error F1 as rows: halves, subsets, and what cannot be measured."""

import pytest

from schemas.evaluation import EvaluationConfig
from schemas.rows import Step, StepScores
from tasks.evaluation.solutions.first_errors import first_wrong_step, measure_first_errors
from tasks.evaluation.solutions.rankers import fold_of

CONFIG = EvaluationConfig(num_bootstrap=50)
HALVES = [[f"p{i}" for i in range(40) if fold_of(f"p{i}") == fold] for fold in (0, 1)]


def scored(trajectory_id, *scores, error=None):
    return StepScores(
        trajectory_id=trajectory_id,
        verifier="v",
        scores=scores,
        scored_tokens=1,
        cached_tokens=0,
        error=error,
    )


@pytest.fixture
def measure(make_problem, make_trajectory):
    """Measure solutions given as (problem id, scores, kinds); problem fields by id."""

    def of(*solutions, fields=None, **names):
        trajectories, scores, kinds = [], [], {}
        for number, (problem_id, values, truth) in enumerate(solutions):
            name = f"t{number}"
            steps = tuple(Step(text=f"{i}\n", num_tokens=1) for i in range(len(truth)))
            trajectories.append(make_trajectory(name, problem_id=problem_id, steps=steps))
            scores.append(scored(name, *values))
            kinds[name] = truth
        ids = dict.fromkeys(problem_id for problem_id, _, _ in solutions)
        problems = [make_problem(i, **(fields or {}).get(i, {})) for i in ids]
        return measure_first_errors(
            problems, trajectories, scores, kinds, CONFIG, policy="p", verifier="v", **names
        )

    return of


def values(rows):
    return {(row.metric, row.bin): row.value for row in rows}


WRONG = ("ok", "slip", "after")
RIGHT = ("ok", "ok")


def test_each_half_is_measured_with_the_threshold_of_the_other(measure):
    """Errors score .2 in fold 0 and .6 in fold 1, right steps .5 and more, .7 and more."""
    (a, *_), (b, *_) = HALVES
    rows = measure(
        (a, (0.9, 0.2, 0.1), WRONG),
        (a, (0.9, 0.5), RIGHT),
        (b, (0.9, 0.6, 0.1), WRONG),
        (b, (0.9, 0.7), RIGHT),
    )
    found = values(rows)
    # Fold 0 is measured at fold 1's (.6 + .7) / 2: its error is found, its right step at .5 fails.
    assert found["first_error_threshold", "fold=0"] == pytest.approx(0.65)
    assert found["first_error_accuracy", "fold=0"] == 1.0
    assert found["flawless_accuracy", "fold=0"] == 0.0
    assert found["first_error_f1", "fold=0"] == 0.0
    # Fold 1 is measured at fold 0's (.2 + .5) / 2: the step after the error is taken for it.
    assert found["first_error_threshold", "fold=1"] == pytest.approx(0.35)
    assert found["first_error_accuracy", "fold=1"] == 0.0
    assert found["flawless_accuracy", "fold=1"] == 1.0
    assert found["first_error_accuracy", "all"] == 0.5
    assert found["flawless_accuracy", "all"] == 0.5
    assert found["first_error_f1", "all"] == 0.5
    assert found["erroneous_solutions", "all"] == found["flawless_solutions", "all"] == 2
    assert {(row.strategy, row.against, row.verifier) for row in rows} == {
        ("step_scores", "checker", "v")
    }
    assert not any(row.bin.startswith("subset") for row in rows)


def test_subsets_have_their_own_f1_and_a_mean(measure):
    """gsm8k is separated perfectly; in math one of two errors is found and both others pass."""
    fields, solutions = {}, []
    for place, half in enumerate(HALVES):
        easy, hard = half[:2]
        fields[easy] = {"split": "gsm8k"}
        fields[hard] = {"split": "math"}
        solutions += [
            (easy, (0.9, 0.2, 0.1), WRONG),
            (easy, (0.9, 0.8), RIGHT),
            (hard, (0.9, 0.2, 0.1) if place else (0.2, 0.9, 0.9), WRONG),
            (hard, (0.9, 0.8), RIGHT),
        ]
    rows = measure(*solutions, fields=fields)
    found = values(rows)
    assert found["first_error_f1", "subset=gsm8k"] == 1.0
    assert found["first_error_f1", "subset=math"] == pytest.approx(2 / 3)
    assert found["first_error_f1_mean", "all"] == pytest.approx(5 / 6)
    assert found["first_error_f1", "all"] == pytest.approx(2 * 0.75 / 1.75)
    [mean] = [row for row in rows if row.metric == "first_error_f1_mean"]
    assert mean.num_problems == 4
    assert mean.ci_low is not None
    assert mean.ci_low <= mean.value <= mean.ci_high


def test_sources_make_subsets_too(measure):
    (a, *_), (b, *_) = HALVES
    both = [(p, s, k) for p in (a, b) for s, k in (((0.9, 0.2, 0.1), WRONG), ((0.9, 0.8), RIGHT))]
    rows = measure(*both, fields={a: {"source": "x"}, b: {"source": "y", "split": "test"}})
    bins = {row.bin for row in rows if row.bin.startswith("subset")}
    assert bins == {"subset=x/dev", "subset=y/test"}


def test_without_an_error_there_is_no_f1_rather_than_zero(measure):
    (a, *_), (b, *_) = HALVES
    found = values(measure((a, (0.9, 0.8), RIGHT), (b, (0.9, 0.8), RIGHT)))
    assert found == {("erroneous_solutions", "all"): 0, ("flawless_solutions", "all"): 2}


def test_one_half_alone_is_measured_in_no_bin_of_all(measure):
    """Fold 1 has no error, so nothing chooses the threshold of fold 0."""
    (a, *_), (b, *_) = HALVES
    rows = measure((a, (0.9, 0.2, 0.1), WRONG), (a, (0.9, 0.8), RIGHT), (b, (0.9, 0.1), RIGHT))
    found = values(rows)
    assert found["flawless_accuracy", "fold=1"] == 0.0
    assert ("first_error_f1", "fold=1") not in found
    assert not {name for name, bin_name in found if bin_name == "all"} & {
        "first_error_f1",
        "flawless_accuracy",
    }


def test_what_is_not_known_does_not_count(measure, make_problem, make_trajectory):
    assert measure(("p0", (0.9, 0.8), (None, "slip")), ("p1", (0.9, 0.8), ("ok", None))) == []
    assert measure(("p0", (0.9,), ("ok", "slip"))) == []  # a score of the whole
    trajectory = make_trajectory("t")
    failed = measure_first_errors(
        [make_problem()],
        [trajectory],
        [scored("t", error="too long")],
        {"t": ("ok", "slip")},
        CONFIG,
        policy="p",
        verifier="v",
    )
    assert failed == []
    with pytest.raises(ValueError, match="trajectory t0: expected 3 step scores, got 2"):
        measure(("p0", (0.9, 0.8), ("ok", "ok", "slip")))


@pytest.mark.parametrize(
    ("kinds", "num_steps", "found"),
    [
        (("ok", "ok"), 2, (True, None)),
        (("ok", "ok"), 3, (False, None)),
        (("ok", "wrong", None), 3, (True, 1)),
        (("ok", "wrong"), 3, (True, 1)),
        ((None, "wrong"), 2, (False, None)),
        (("slip",), 1, (True, 0)),
        ((), 0, (False, None)),
    ],
)
def test_a_first_error_is_known_if_all_before_it_is(kinds, num_steps, found):
    assert first_wrong_step(kinds, num_steps) == found
