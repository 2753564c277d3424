import pytest

from schemas.evaluation import EvaluationConfig
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.picks import measure_picks, measure_right_answers

CONFIG = EvaluationConfig(budgets=(1, 2, 4), num_bootstrap=200)


def problem(name: str, scores, correct, status=None) -> Candidates:
    n = len(correct)
    return Candidates(
        problem_id=name,
        classes=tuple(range(n)),
        correct=tuple(correct),
        status=status or ("finished",) * n,
        logprobs=(None,) * n,
        num_tokens=(1,) * n,
        scores=tuple(None if s is None else (0.99, s) for s in scores),
        scored_tokens=(1,) * n,
    )


def picks(candidates, errors):
    rows = measure_picks(candidates, errors, CONFIG, policy="p", verifier="v")
    assert {(row.strategy, row.metric, row.verifier) for row in rows} <= {
        ("best_of_n[min]", "picks", "v")
    }
    return {
        (row.budget, row.bin.removeprefix("first_error=")): (row.value, row.num_problems)
        for row in rows
    }


def test_expected_picks_by_hand():
    """Scores .9 skipped, .5 none, .5 slip (tied), .1 none.

    Three of the six pairs hold the first, one is the tie alone, and two hold one of the tie and
    the last.
    """
    found = picks(
        [problem("a", (0.9, 0.5, 0.5, 0.1), (False, True, False, True))],
        [("skipped", "none", "slip", "none")],
    )
    assert found == {
        (1, "none"): (0.5, 1),
        (1, "skipped"): (0.25, 1),
        (1, "slip"): (0.25, 1),
        (2, "none"): (pytest.approx(1.5 / 6), 1),
        (2, "skipped"): (pytest.approx(3 / 6), 1),
        (2, "slip"): (pytest.approx(1.5 / 6), 1),
        (4, "none"): (0.0, 1),
        (4, "skipped"): (1.0, 1),
        (4, "slip"): (0.0, 1),
    }


def test_counts_add_up_to_the_problems_of_the_budget():
    lost = problem(
        "c", (0.9, None, 0.3, 0.1), (None, True, False, True), ("error", *("finished",) * 3)
    )
    whole = problem("b", (0.9, 0.8, 0.7, 0.6), (True,) * 4)
    found = picks(
        [problem("a", (0.2, 0.4), (True, False)), lost, problem("d", (None,), (True,)), whole],
        [("none", "slip"), ("wrong_op", "none", "slip", "none"), ("none",), ("none",) * 4],
    )
    for budget in (1, 2, 4):  # a problem with fewer candidates is measured on all that it has
        cells = {kind: cell for (k, kind), cell in found.items() if k == budget}
        assert sum(value for value, _ in cells.values()) == pytest.approx(3)
        assert {count for _, count in cells.values()} == {3}
    assert found[4, "slip"][0] == 2.0
    assert found[4, "wrong_op"][0] == 0.0


def test_no_candidate_no_pick():
    assert picks([], []) == {}
    assert picks([problem("a", (None,), (True,))], [("none",)]) == {}


def test_right_answers_through_wrong_steps():
    rows = measure_right_answers(
        [
            problem("a", (0.5,) * 4, (True, True, False, None)),
            problem("b", (0.5,), (True,)),
            problem("c", (0.5,), (False,)),
        ],
        [("none", "slip", "slip", "slip"), ("none",), ("skipped",)],
        CONFIG,
        policy="p",
    )
    [row] = rows
    assert (row.metric, row.strategy, row.verifier) == ("right_through_wrong_step", "pool", None)
    assert (row.value, row.num_problems) == (pytest.approx(1 / 3), 2)
    assert row.ci_low == 0.0
    assert row.ci_high == 0.5
    wrong = [problem("c", (0.5,), (False,))]
    assert measure_right_answers(wrong, [("skipped",)], CONFIG, policy="p") == []
