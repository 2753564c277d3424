"""Votes over the turns of RISE, against hand-computed chances."""

import pytest

from flows.loops.rise import majority_by
from schemas.graders import MathGraderConfig
from tasks.graders import make_grader


@pytest.mark.parametrize(
    ("turns", "chance"),
    [
        ([("3", True), ("5", False), ("3", True)], 1.0),
        ([("3", True), ("5", False)], 0.5),
        ([("3", True), ("5", None), ("5", None)], 1.0),  # what is not graded casts no vote
        ([("3", None), ("5", None)], None),
        ([(None, None)], 0.0),  # cut
    ],
)
def test_a_vote_is_among_the_graded_attempts(make_trajectory, turns, chance):
    chain = [
        make_trajectory(
            f"t{turn}",
            answer=answer,
            correct=correct,
            status="truncated" if answer is None else "finished",
        )
        for turn, (answer, correct) in enumerate(turns)
    ]
    assert majority_by(make_grader(MathGraderConfig()))(chain) == chance
