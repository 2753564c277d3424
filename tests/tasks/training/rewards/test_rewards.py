import asyncio
import random
from typing import Any

import pytest

from schemas.engines import MarkovConfig, PlantedConfig, ScoringRequest, StepScoring
from schemas.training.rewards import GradeRewardConfig, RefinementRewardConfig
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.graders import Grade
from tasks.training.rewards import Drawn, total
from tasks.training.rewards.grade import grade_reward
from tasks.training.rewards.verifier import VerifierReward
from tasks.verifiers.credit import shaped_return, step_rewards


@pytest.mark.parametrize(
    ("grade", "is_finished", "reward"),
    [
        (Grade("7", True), True, 1.0),
        (Grade("8", False), True, 0.2),
        (Grade(None, False), True, 0.0),
        (Grade("7", True), False, 0.0),
        (Grade("7", None), True, None),
    ],
)
def test_an_answer_earns_by_right_parsable_and_neither(grade, is_finished, reward):
    config = GradeRewardConfig()
    assert grade_reward(grade, is_finished=is_finished, config=config) == reward


def test_a_step_earns_what_it_changes_the_lowest_score():
    assert step_rewards([0.9, 0.4, 0.7, 0.3]) == pytest.approx([-0.1, -0.5, 0.0, -0.1])
    assert shaped_return([0.9, 0.4, 0.7, 0.3]) == pytest.approx(0.3)
    assert step_rewards([]) == []
    assert shaped_return([]) == 1.0


def test_no_further_step_raises_the_return_wherever_it_is_put():
    rng = random.Random(0)
    for _ in range(300):
        scores = [rng.random() for _ in range(rng.randint(1, 6))]
        place, more = rng.randint(0, len(scores)), [rng.random() for _ in range(rng.randint(1, 5))]
        longer = [*scores[:place], *more, *scores[place:]]
        assert shaped_return(longer) <= shaped_return(scores) + 1e-12
        # Repeating a step, or splitting it into two with the same score, changes nothing.
        repeated = [score for score in scores for _ in range(3)]
        assert shaped_return(repeated) == pytest.approx(shaped_return(scores))
        # A step never earns a positive reward.
        assert all(reward <= 0 for reward in step_rewards(longer))
        assert sum(step_rewards(longer)) == pytest.approx(min(longer) - 1)


def test_a_config_in_which_a_wrong_answer_earns_more_is_refused():
    with pytest.raises(ValueError, match="right > parsable >= neither"):
        GradeRewardConfig(right=0.2, parsable=0.5)


@pytest.mark.parametrize(("reduction", "expected"), [("min", 0.4), ("last", 0.7)])
def test_a_verifier_of_whole_solutions_pays_its_last_score(reduction, expected):
    class Scoring:
        async def score(self, request: ScoringRequest) -> StepScoring:
            scores = {"a\n": 0.9, "b\n": 0.4, "Answer: 1": 0.7}
            return StepScoring(
                scores=tuple(scores[step] for step in request.steps),
                scored_tokens=3,
                cached_tokens=0,
            )

    engine: Any = Scoring()
    reward = VerifierReward(engine, separator="\n", has_chat_template=False, reduction=reduction)
    drawn = Drawn(
        texts=["a\nb\nAnswer: 1", "a\nb\nAnswer: 1", "a\n"],
        grades=[Grade("1", None), Grade("1", None), Grade(None, None)],
        finished=[True, False, True],
        prompt_ids=(5,),
        token_ids=[(1, 2, 3), (1, 2, 3), (1,)],
    )
    paid = asyncio.run(reward.judge({"prompt": "?"}, drawn))
    assert paid == [pytest.approx(expected), 0.0, 0.0]


def test_what_a_solution_earns_by_token_is_its_sum_in_all():
    assert [total(earned) for earned in (0.5, [0.25, 0.5], None, [])] == [0.5, 0.75, None, 0]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_reward_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match=r"right\s.*finite"):
        GradeRewardConfig(right=value)
    with pytest.raises(ValueError, match=r"faulty\s.*finite"):
        RefinementRewardConfig(faulty=value, actor=PlantedConfig())


def test_what_a_refused_solution_earns_is_not_known_and_the_others_are_paid():
    config = MarkovConfig(num_steps=1, p_right=0.75)
    (problem,) = markov_problems(1, seed=0)
    texts = (f"Step 1: ok 3\nAnswer: {problem.answer}", "no line of this world\nAnswer: 1")
    drawn = Drawn(
        texts=texts,
        grades=[Grade("1", True) for _ in texts],
        finished=[True, True],
        prompt_ids=(5,),
        token_ids=[(), ()],
    )
    reward = VerifierReward(MarkovEngine(config), separator="\n", has_chat_template=False)
    earned = asyncio.run(reward.judge({"prompt": problem.question}, drawn))
    assert earned == [1.0, None]
