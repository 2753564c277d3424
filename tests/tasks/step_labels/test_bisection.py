from math import ceil, log2

import pytest

from tasks.step_labels.bisection import Bracket, bisect_first_error, is_audited


def search(num_steps, is_correct, verdict_of):
    """Run a search against known verdicts; the steps it tested, and what it concluded."""
    tested = []
    generator = bisect_first_error(num_steps, is_correct)
    verdict = None
    while True:
        try:
            num_kept = generator.send(verdict)
        except StopIteration as end:
            return tested, end.value
        tested.append(num_kept)
        verdict = verdict_of(num_kept)


@pytest.mark.parametrize("num_steps", range(1, 18))
def test_it_finds_every_first_error_in_logarithmic_time(num_steps):
    for first_wrong in range(num_steps):
        tested, bracket = search(num_steps, False, lambda kept, wrong=first_wrong: kept <= wrong)
        assert bracket == Bracket(first_wrong, first_wrong)
        assert [bracket.verdict(i) for i in range(num_steps)] == [
            i < first_wrong for i in range(num_steps)
        ]
        assert len(tested) <= ceil(log2(num_steps))
        assert all(1 <= kept < num_steps for kept in tested)


def test_a_right_solution_is_right_throughout_without_a_test():
    tested, bracket = search(5, True, lambda kept: False)
    assert tested == []
    assert [bracket.verdict(i) for i in range(5)] == [True] * 5


def test_without_an_answer_the_last_step_is_wrong_only_behind_an_error():
    _, with_error = search(5, None, lambda kept: kept <= 2)
    assert [with_error.verdict(i) for i in range(5)] == [True, True, False, False, False]
    _, without = search(5, None, lambda kept: True)
    assert [without.verdict(i) for i in range(5)] == [True] * 4 + [None]


def test_a_prefix_without_a_verdict_leaves_a_gap():
    tested, bracket = search(8, False, lambda kept: True if kept == 4 else None)
    assert tested == [4, 6]
    assert [bracket.verdict(i) for i in range(8)] == [True] * 4 + [None] * 3 + [False]


def test_the_audited_share_is_about_what_was_asked(make_trajectory):
    trajectories = [make_trajectory(f"t{i}") for i in range(2000)]
    share = sum(is_audited(t, 0.1) for t in trajectories) / 2000
    assert 0.07 < share < 0.13
    assert all(is_audited(t, 1.0) for t in trajectories)
    assert not any(is_audited(t, 0.0) for t in trajectories)
