"""What drawn solutions earn: a module per reward, named after its config's `type`.

A module names its class `REWARD`; `open_reward` makes it from the config and the training's prompt.
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from schemas.prompts import ChatPromptConfig, PromptConfig
from tasks.graders import Grade


class Reward(Protocol):
    """Rewards the solutions of one start state."""

    async def judge(
        self, prompt: str, texts: Sequence[str], grades: Sequence[Grade], finished: Sequence[bool]
    ) -> list[float | None]:
        """What each solution earns; None where that is unknown, which trains nothing.

        Args:
            prompt: of the start state.
            texts: [n] whole solutions, the start state's prefix included.
            grades: [n] of their answers.
            finished: [n] whether they are complete; the others were cut off.
        """
        ...

    async def close(self) -> None:
        """Release the reward's resources."""
        ...


async def open_reward(config: Any, prompt: PromptConfig) -> Reward:
    """The reward of a config, with its engine open if it has one."""
    module = importlib.import_module(f"tasks.training.rewards.{config.type}")
    return await module.REWARD.open(
        config,
        separator=prompt.step_rule,
        has_chat_template=isinstance(prompt, ChatPromptConfig),
    )
