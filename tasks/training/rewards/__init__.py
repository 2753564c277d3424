"""What drawn solutions earn: a module per reward, named after its config's `type`.

A module names its class `REWARD`; `open_reward` makes it from the config and the training's prompt.
"""

import importlib
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from schemas.prompts import PromptConfig
from tasks.graders import Grade, Grader


class Reward(Protocol):
    """Rewards the solutions of one start state."""

    async def judge(
        self,
        state: Mapping[str, Any],
        texts: Sequence[str],
        grades: Sequence[Grade],
        finished: Sequence[bool],
    ) -> list[float | None]:
        """What each solution earns; None where that is unknown, which trains nothing.

        Args:
            state: the start state, a row of the set.
            texts: [n] whole solutions, the start state's prefix included; or critiques.
            grades: [n] of their answers; critiques have none.
            finished: [n] whether they are complete; the others were cut off.
        """
        ...

    async def close(self) -> None:
        """Release the reward's resources."""
        ...


async def open_reward(config: Any, prompt: PromptConfig, grader: Grader) -> Reward:
    """The reward of a config, with its engine open if it has one.

    Args:
        config: of the reward.
        prompt: of the policy in training.
        grader: decides what is right.
    """
    module = importlib.import_module(f"tasks.training.rewards.{config.type}")
    return await module.REWARD.open(config, prompt=prompt, grader=grader)
