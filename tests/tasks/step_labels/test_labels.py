import random

import pytest

from schemas.rows import Step
from schemas.step_labels import MonteCarloConfig
from tasks.evaluation.statistics.intervals import wilson_interval
from tasks.step_labels.estimates import hard_label
from tasks.step_labels.labels import label_outcomes, label_steps

PLAIN = MonteCarloConfig(num_rollouts=4, audit_fraction=0)


@pytest.fixture
def make_solution(make_trajectory):
    def make(trajectory_id="t0", texts="abcd", **fields):
        steps = tuple(Step(text=f"{text}\n", num_tokens=1) for text in texts)
        return make_trajectory(trajectory_id, **{"steps": steps, "correct": False, **fields})

    return make


@pytest.fixture
def make_rollouts(make_trajectory):
    def make(parent, branch_step, verdicts, **fields):
        return [
            make_trajectory(
                f"{parent.trajectory_id}-{branch_step}-{index}",
                **{
                    "strategy": "rollout",
                    "parent_id": parent.trajectory_id,
                    "branch_step": branch_step,
                    "sample_index": index,
                    "correct": verdict,
                    **fields,
                },
            )
            for index, verdict in enumerate(verdicts)
        ]

    return make


def hard(labels):
    return [label.hard for label in labels]


def test_estimates_by_hand(make_solution, make_rollouts):
    solution = make_solution(texts="abc")
    rollouts = make_rollouts(solution, 1, [True, False, True, True])
    rollouts += make_rollouts(solution, 2, [False] * 4)
    first, second, last = label_steps([solution], rollouts, PLAIN)
    assert (first.num_correct, first.num_rollouts, first.soft, first.hard) == (3, 4, 0.75, True)
    assert (first.ci_low, first.ci_high) == wilson_interval(3, 4)
    assert (second.num_correct, second.num_rollouts, second.soft, second.hard) == (0, 4, 0, False)
    assert (first.evidence, first.method, first.completer) == (
        "rollouts",
        "monte_carlo[n=4]",
        "policy-0",
    )
    assert (last.evidence, last.num_rollouts, last.soft, last.hard) == ("answer", 0, 0.0, False)
    assert (last.ci_low, last.ci_high) == (None, None)


def test_rollouts_without_a_verdict_are_left_out(make_solution, make_rollouts):
    solution = make_solution()
    rollouts = make_rollouts(solution, 1, [True, None, False, None])
    rollouts += make_rollouts(solution, 2, [None] * 4)
    rollouts += make_rollouts(solution, 3, [None], status="error")
    first, second, third, _ = label_steps([solution], rollouts, PLAIN)
    assert (first.num_correct, first.num_rollouts, first.soft) == (1, 2, 0.5)
    for label in (second, third):
        assert (label.num_rollouts, label.soft, label.hard, label.ci_low) == (0, None, None, None)


@pytest.mark.parametrize(
    ("verdicts", "min_correct", "expected"),
    [
        ([True, False, False], 1, True),
        ([True, False, False], 2, False),
        ([True, True, None], 2, True),
        ([False, None, None], 2, None),
        ([None], 1, None),
        ([], 1, None),
    ],
)
def test_hard_label_needs_enough_hits_and_enough_verdicts(verdicts, min_correct, expected):
    config = MonteCarloConfig(min_correct=min_correct)
    assert hard_label(verdicts, config) is expected


def test_the_last_step_is_labelled_by_the_answer_alone(make_solution):
    one_step = [make_solution(f"t{i}", "a", correct=c) for i, c in enumerate((True, False, None))]
    labels = label_steps(one_step, [], PLAIN)
    assert hard(labels) == [True, False, None]
    assert [label.soft for label in labels] == [1.0, 0.0, None]
    assert {label.evidence for label in labels} == {"answer"}
    assert label_steps([make_solution(texts="")], [], PLAIN) == []


def test_equal_prefixes_share_their_rollouts(make_solution, make_rollouts):
    first, twin = make_solution("t0", "abc"), make_solution("t1", "abx")
    other = make_solution("t2", "abc", problem_id="p1")
    rollouts = make_rollouts(first, 1, [True] * 4) + make_rollouts(first, 2, [False] * 4)
    rollouts += make_rollouts(other, 1, [False] * 4) + make_rollouts(other, 2, [False] * 4)
    labels = label_steps([first, twin, other], rollouts, PLAIN)
    assert hard(labels) == [True, False, False, True, False, False, False, False, False]


def test_labels_do_not_depend_on_the_order_of_rollouts(make_solution, make_rollouts):
    solution = make_solution(texts="abc")
    rollouts = make_rollouts(solution, 1, [False, True, True, False])
    rollouts += make_rollouts(solution, 2, [False, False, True, True])
    shuffled = rollouts[:]
    random.Random(0).shuffle(shuffled)
    for stopping in ("none", "first_hit"):
        config = PLAIN.with_fields(stopping=stopping)
        assert label_steps([solution], shuffled, config) == label_steps(
            [solution], rollouts, config
        )


def test_stored_rollouts_can_be_labelled_again_more_cheaply(make_solution, make_rollouts):
    solution = make_solution(texts="abcde")
    rollouts = []
    for step, verdicts in enumerate(
        ([False, True, True, True], [True] * 4, [False] * 4, [False] * 4), start=1
    ):
        rollouts += make_rollouts(solution, step, verdicts)
    stopped = label_steps([solution], rollouts, PLAIN.with_fields(stopping="first_hit"))
    assert [(s.num_correct, s.num_rollouts) for s in stopped] == [
        (1, 2),
        (1, 1),
        (0, 4),
        (0, 4),
        (0, 0),
    ]
    two = label_steps([solution], rollouts, PLAIN.with_fields(num_rollouts=2))
    assert [(s.num_correct, s.num_rollouts) for s in two][:3] == [(1, 2), (2, 2), (0, 2)]
    searched = label_steps([solution], rollouts, PLAIN.with_fields(search="bisection"))
    assert [label.evidence for label in searched] == [
        "inferred",
        "rollouts",
        "rollouts",
        "inferred",
        "answer",
    ]
    assert hard(searched) == [True, True, False, False, False]
    assert [label.soft for label in searched] == [None, 1.0, 0.0, None, 0.0]


def test_bisection_infers_a_right_solution_and_an_unfinished_one(make_solution, make_rollouts):
    right = make_solution("t0", "abc", correct=True)
    cut = make_solution("t1", "abc", problem_id="p1", correct=None, status="truncated")
    rollouts = make_rollouts(cut, 1, [False, False, False, False])
    config = PLAIN.with_fields(search="bisection")
    labels = label_steps([right, cut], rollouts, config)
    assert hard(labels) == [True, True, True, False, False, False]
    assert [label.evidence for label in labels] == [
        "inferred",
        "inferred",
        "answer",
        "rollouts",
        "inferred",
        "inferred",
    ]


def test_audited_trajectories_get_plain_labels_as_well(make_solution, make_rollouts):
    solution = make_solution(texts="abc")
    rollouts = make_rollouts(solution, 1, [False] * 4) + make_rollouts(solution, 2, [True] * 4)
    config = PLAIN.with_fields(search="bisection", audit_fraction=1.0)
    labels = label_steps([solution], rollouts, config)
    assert [label.method for label in labels] == ["monte_carlo[n=4,bisection]"] * 3 + [
        "monte_carlo[n=4]"
    ] * 3
    assert hard(labels) == [False, False, False, False, True, False]


def test_rollouts_that_do_not_fit_are_refused(make_solution, make_rollouts):
    solution, stranger = make_solution(texts="ab"), make_solution("t9", "ab")
    with pytest.raises(ValueError, match=r"trajectory t0, step 0: .* needs more than the 1 "):
        label_steps([solution], make_rollouts(solution, 1, [False]), PLAIN)
    with pytest.raises(ValueError, match="continues trajectory t9"):
        label_steps([solution], make_rollouts(stranger, 1, [True]), PLAIN)
    mixed = make_rollouts(solution, 1, [True] * 4)
    mixed += make_rollouts(solution, 1, [True], policy="policy-1")
    with pytest.raises(ValueError, match="one policy"):
        label_steps([solution], mixed, PLAIN)


def test_outcome_labels_the_last_step_alone(make_solution):
    solutions = [make_solution("t0", "ab", correct=True), make_solution("t1", "a", correct=None)]
    labels = label_outcomes(solutions)
    assert [(label.step_index, label.hard, label.soft) for label in labels] == [
        (0, None, None),
        (1, True, 1.0),
        (0, None, None),
    ]
    assert {label.method for label in labels} == {"outcome"}
