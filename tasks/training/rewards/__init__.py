"""What drawn solutions earn: a module per reward, named after its config's `type`.

A module has a class `REWARD`, made from the config and what a training offers (`open_reward`).
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from schemas.prompts import ChatPromptConfig, PromptConfig
from tasks.graders import Grade


class Reward(Protocol):
    """Judges the solutions of one start state."""

    async def judge(
        self, prompt: str, texts: Sequence[str], grades: Sequence[Grade], finished: Sequence[bool]
    ) -> list[float | None]:
        """What each solution earns; None where that cannot be told, which teaches nothing.

        Args:
            prompt: of the start state.
            texts: [n] whole solutions, the start state's prefix included.
            grades: [n] of their answers.
            finished: [n] whether they have an end; the others were cut off.
        """
        ...

    async def close(self) -> None:
        """Free what the reward holds."""
        ...


async def open_reward(config: Any, prompt: PromptConfig) -> Reward:
    """The reward of a config, its engine opened if it has one."""
    module = importlib.import_module(f"tasks.training.rewards.{config.type}")
    return await module.REWARD.open(
        config,
        separator=prompt.separator,
        has_chat_template=isinstance(prompt, ChatPromptConfig),
    )
