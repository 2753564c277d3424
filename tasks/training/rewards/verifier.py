"""What a drawn solution earns by a verifier's scores s_1 .. s_K of its steps.

Rewarding each step with its score would reward writing more steps. Here a step earns the change of
a potential: the lowest score so far, which is 1 before the first step.


    m_0 = 1,  m_k = min(m_(k-1), s_k),  reward of step k = m_k - m_(k-1) <= 0

The rewards telescope: their sum is m_K - 1, the lowest score minus one, so the return of a solution
(with 1 added) is its lowest score. Adding, repeating or splitting a step can lower it or leave it,
but never raise it (min-form credit, arXiv:2504.15275).
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, Self

from schemas.engines import ScoringRequest
from schemas.prompts import ChatPromptConfig, PromptConfig
from schemas.steps import StepEnding
from schemas.training.rewards import VerifierRewardConfig
from tasks.engines.base import Engine
from tasks.engines.open import open_engine
from tasks.steps.segmentation import split_steps
from tasks.training.rewards import Drawn, Earned


class VerifierReward:
    """Rewards solutions that have an answer with their lowest step score; others earn 0."""

    def __init__(self, engine: Engine, *, separator: StepEnding, has_chat_template: bool) -> None:
        self._engine = engine
        self._separator = separator
        self._has_chat_template = has_chat_template

    @classmethod
    async def open(cls, config: VerifierRewardConfig, *, prompt: PromptConfig, **_: object) -> Self:
        """The reward, with its verifier loaded."""
        separator = prompt.step_rule
        engine = await open_engine(config.verifier, "verifier", separator=separator)
        return cls(
            engine, separator=separator, has_chat_template=isinstance(prompt, ChatPromptConfig)
        )

    async def judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        """See `Reward`."""
        return await asyncio.gather(
            *(
                self._score(state["prompt"], text, is_whole=is_finished and bool(grade.answer))
                for text, grade, is_finished in zip(
                    drawn.texts, drawn.grades, drawn.finished, strict=True
                )
            )
        )

    async def close(self) -> None:
        """See `Reward`."""
        await self._engine.close()

    async def _score(self, prompt: str, text: str, *, is_whole: bool) -> float:
        if not is_whole:
            return 0.0
        scoring = await self._engine.score(
            ScoringRequest(
                prompt=prompt,
                steps=tuple(split_steps(text, self._separator)),
                has_chat_template=self._has_chat_template,
                is_whole=True,
            )
        )
        return shaped_return(scoring.scores)


def step_rewards(scores: Sequence[float]) -> list[float]:
    """What each step earns, in [-1, 0]; the sum is the lowest score minus one."""
    potentials = accumulate(scores, min, initial=1.0)
    return [after - before for before, after in pairwise(potentials)]


def shaped_return(scores: Sequence[float]) -> float:
    """What a solution earns by its steps' scores: its final potential, in [0, 1]."""
    return 1.0 + sum(step_rewards(scores))


REWARD = VerifierReward
