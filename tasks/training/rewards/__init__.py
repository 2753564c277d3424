"""What drawn solutions earn: a module per reward, named after its config's `type`.

A module names its class `REWARD`; `open_reward` makes it from the config and the training's prompt.
"""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from schemas.prompts import PromptConfig
from tasks.graders import Grade, Grader

Earned = float | Sequence[float] | None
"""What a solution earns: a number, paid at its last token; a number for each of its sampled tokens;
or None where that is unknown, which trains nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """The solutions of one start state."""

    texts: Sequence[str]
    """[n] whole solutions, the start state's prefix included; or critiques."""
    grades: Sequence[Grade]
    """[n] of their answers; critiques have none."""
    finished: Sequence[bool]
    """[n] whether they are complete; the others were cut off."""
    prompt_ids: Sequence[int]
    """The tokens that the engine read: prompt and prefix."""
    token_ids: Sequence[Sequence[int]]
    """[n][num_tokens] the tokens that it sampled and that are trained on, an end of text or a stop
    string included."""


class Reward(Protocol):
    """Rewards the solutions of one start state."""

    async def judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        """What each solution earns, [n].

        Args:
            state: the start state, a row of the set.
            drawn: its solutions.
        """
        ...

    async def close(self) -> None:
        """Release the reward's resources."""
        ...


async def open_reward(
    config: Any, prompt: PromptConfig, grader: Grader, *, model: Any = None, tokenizer: Any = None
) -> Reward:
    """The reward of a config, with its engine open if it has one.

    Args:
        config: of the reward.
        prompt: of the policy in training.
        grader: decides what is right.
        model: the policy in training, whose weights change.
        tokenizer: the policy's.
    """
    module = importlib.import_module(f"tasks.training.rewards.{config.type}")
    return await module.REWARD.open(
        config, prompt=prompt, grader=grader, model=model, tokenizer=tokenizer
    )


def total(earned: Earned) -> float | None:
    """What a solution earns in all; None where that is unknown."""
    return sum(earned) if isinstance(earned, Sequence) else earned
