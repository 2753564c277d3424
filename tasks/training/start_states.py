"""Start states: what solutions of them end at, are graded by, and may be rewarded with."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.errors import RewardNotFinite
from schemas.policy_training import PolicyTrainingJob
from schemas.prompts import ChatPromptConfig, PromptConfig, check_stop
from schemas.rows import Problem
from schemas.training.drawing import DrawingRecipe
from tasks.prompts.examples import load_examples
from tasks.prompts.stops import derive_stops
from tasks.training.rewards import Drawn, Earned, Reward


def stop_strings(job: PolicyTrainingJob) -> tuple[str, ...]:
    """The strings that end a drawn solution: those of the prompt, and those of the method.

    Raises:
        ValueError: one of them would end every solution at its first step.
    """
    assert isinstance(job.method, DrawingRecipe)
    prompt, stop = job.prompt, job.method.stop
    check_stop("method.stop", stop, prompt.separator, prompt.known_answers)
    if isinstance(prompt, ChatPromptConfig):
        return stop
    return tuple(dict.fromkeys((*derive_stops(prompt, load_examples(prompt)), *stop)))


def check_reward(state: Mapping[str, Any], method: DrawingRecipe) -> None:
    """Refuse a reward for critiques where none are asked for, and the other way round.

    Raises:
        ValueError: names the reward and what it needs.
    """
    is_request = state.get("attempt") is not None
    if is_request != method.reward.of_critiques:
        rewarded, asked = ("solutions", "critiques") if is_request else ("critiques", "solutions")
        raise ValueError(
            f"method.reward.type: {method.reward.type} rewards {rewarded}, but the set asks for "
            f"{asked}: expected a set of critique_requests with the reward refinement alone"
        )


def check_prefixes(states: Sequence[Mapping[str, Any]], prompt: PromptConfig) -> None:
    """Refuse start states whose steps cannot be counted.

    Raises:
        ValueError: a state has a prefix, and a maximum joined the steps of the whole solution.
    """
    if prompt.steps.max_steps is None:
        return
    for number, state in enumerate(states):
        if state.get("prefix"):
            raise ValueError(
                f"prompt.steps.max_steps: expected none for start states within a solution, whose "
                f"steps cannot be counted otherwise, got {prompt.steps.max_steps} and the prefix "
                f"of state {number}"
            )


async def judge(
    reward: Reward, state: Mapping[str, Any], drawn: Drawn, *, name: str
) -> list[Earned]:
    """What the solutions of a start state earn, checked.

    Raises:
        TrainingDiverged: something is not finite.
        ValueError: a list is of another length than its solution.
    """
    from tasks.training.common import TrainingDiverged

    try:
        earned = await reward.judge(state, drawn)
    except RewardNotFinite as error:
        words = f"reward {name}, problem {state.get('problem_id') or 'unknown'}: {error}"
        raise TrainingDiverged(words) from error
    check_earned(earned, drawn.token_ids, name)
    return earned


def check_earned(
    rewards: Sequence[Earned], token_ids: Sequence[Sequence[int]], reward: str
) -> None:
    """Refuse rewards that cannot be trained on.

    Args:
        rewards: [n] what solutions earn.
        token_ids: [n][num_tokens] their tokens.
        reward: the name of the reward.

    Raises:
        TrainingDiverged: one is not finite.
        ValueError: one is a list of another length than its solution.
    """
    from tasks.training.common import TrainingDiverged

    for earned, ids in zip(rewards, token_ids, strict=True):
        each = earned if isinstance(earned, Sequence) else [] if earned is None else [earned]
        if isinstance(earned, Sequence) and len(earned) != len(ids):
            raise ValueError(
                f"reward {reward}: expected a number for each of a solution's {len(ids)} tokens, "
                f"got {len(earned)}"
            )
        if not all(map(math.isfinite, each)):
            raise TrainingDiverged(
                f"reward {reward}: expected finite numbers, got {earned} for a solution of "
                f"{len(ids)} tokens"
            )


def problem_of(state: Mapping[str, Any]) -> Problem:
    """The problem a start state's solutions are graded by; without an answer they stay ungraded."""
    return Problem(
        problem_id=state.get("problem_id") or "",
        source=state.get("source") or "",
        split="train",
        question=state["prompt"],
        answer=state.get("answer") or "",
        check=state.get("check"),
    )
