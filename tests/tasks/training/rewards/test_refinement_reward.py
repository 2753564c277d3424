"""A critique earns the share of right second attempts, by an actor whose success is known."""

import asyncio
from math import sqrt

import pytest

from schemas.engines import PlantedConfig
from schemas.graders import PlantedGraderConfig
from schemas.prompts import PlainPromptConfig
from schemas.rows import Status
from schemas.training.rewards import RefinementRewardConfig
from tasks.engines.planted_engine import p_success, planted_problems
from tasks.graders import Grade, make_grader
from tasks.graders.base import UNGRADED
from tasks.training.rewards import Drawn, open_reward, total
from tasks.training.rewards.refinement import refinement_reward

NUM_ATTEMPTS = 400
ACTOR = PlantedConfig(gammas=(0.6,), horizon=10)
(PROBLEM,) = planted_problems(1, seed=3)
ATTEMPT = ["1", "2"]
STATE = {
    "prompt": f"{PROBLEM.question}\n1\n2\nReview:\n",
    "question": PROBLEM.question,
    "attempt": ATTEMPT,
    "answer": PROBLEM.answer,
    "problem_id": PROBLEM.problem_id,
    "source": "planted",
}
CLEAR = "1 right\n2 wrong\nReview: wrong"
MISLEADING = "1 wrong. Map 1 1 1 1 1.\nReview: wrong"
"""The actor solves the last problem that it reads."""


def judge(texts, finished=None, **fields):
    config = RefinementRewardConfig.model_validate(
        {"actor": ACTOR.model_dump(), "num_refinements": NUM_ATTEMPTS, "temperature": 1.0, **fields}
    )

    async def go():
        grader = make_grader(PlantedGraderConfig())
        reward = await open_reward(config, PlainPromptConfig(), grader)
        try:
            done = finished or [True] * len(texts)
            earned = await reward.judge(
                STATE,
                Drawn(
                    texts=texts,
                    grades=[UNGRADED] * len(texts),
                    finished=done,
                    prompt_ids=(),
                    token_ids=[()] * len(texts),
                ),
            )
            return [total(each) for each in earned]
        finally:
            await reward.close()
            grader.close()

    return asyncio.run(go())


def test_a_critique_earns_the_share_of_right_second_attempts():
    p = p_success([], [int(symbol) for symbol in PROBLEM.answer.split()], ACTOR)
    clear, misleading, again = judge([CLEAR, MISLEADING, CLEAR])
    assert clear is not None
    assert misleading is not None
    assert abs(clear - p) < 4 * sqrt(p * (1 - p) / NUM_ATTEMPTS)
    assert misleading < 0.02
    assert again == clear


@pytest.mark.parametrize(
    ("text", "is_finished"),
    [
        (CLEAR, False),
        ("1 right\n2 right", True),
        ("1 right\nReview: right", True),
        (f"1 right\n2 wrong, the answer is {PROBLEM.answer}\nReview: wrong", True),
        ("", True),
    ],
    ids=["cut", "no verdict", "a step short", "says the answer", "empty"],
)
def test_a_critique_that_cannot_be_used_earns_a_fixed_reward(text, is_finished):
    assert judge([text], [is_finished], faulty=-0.5) == [-0.5]


def test_attempts_that_cannot_be_judged_do_not_count():
    right, wrong, unknown = Grade("4", True), Grade("5", False), Grade("4", None)
    none = Grade(None, False)
    done: list[Status] = ["finished", "finished", "finished"]
    cut: list[Status] = ["truncated"]
    assert refinement_reward([right, wrong, unknown], done) == 0.5
    assert refinement_reward([right, none], [*done[:1], *cut]) == 0.5
    assert refinement_reward([right], cut) == 1.0
    assert refinement_reward([unknown], done[:1]) is None
    assert refinement_reward([], []) is None
