"""What a drawn solution earns by a verifier's scores of its steps.

Rewarding each step with its score would reward writing more steps. Here a step earns the change of
a potential, the lowest score so far (`tasks/verifiers/credit.py`), so a solution earns its lowest
score: at its last token, or step by step with `credit: steps`. With the reduction `last` it earns
the score of its last step, as a verifier of whole solutions means it.
"""

import asyncio
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, Literal, Self

from schemas.engines import ScoringRequest, StepScoring
from schemas.errors import RequestRejected
from schemas.prompts import ChatPromptConfig, PromptConfig
from schemas.steps import StepEnding
from schemas.training.rewards import VerifierRewardConfig
from tasks.engines.base import Engine
from tasks.engines.open import open_engine
from tasks.steps.sampled import align
from tasks.steps.segmentation import split_steps
from tasks.steps.token_texts import TokenDecoder
from tasks.training.rewards import Drawn, Earned
from tasks.verifiers.credit import Credited, shaped_return, step_token_rewards


class VerifierReward:
    """Rewards solutions that have an answer with their lowest or last score; others earn 0."""

    def __init__(
        self,
        engine: Engine,
        *,
        separator: StepEnding,
        has_chat_template: bool,
        reduction: Literal["min", "last"] = "min",
        label: str = "verifier",
        decoder: TokenDecoder | None = None,
    ) -> None:
        """Use an open verifier.

        Args:
            engine: scores.
            separator: what ends a step.
            has_chat_template: prompts already contain their special tokens.
            reduction: which score a solution earns; `min` where steps are rewarded.
            label: what rows call the reward.
            decoder: of the policy's tokens, to reward them step by step; None rewards the whole.
        """
        self._engine = engine
        self._reduction = reduction
        self._separator = separator
        self._has_chat_template = has_chat_template
        self._label = label
        self._decoder = decoder

    @classmethod
    async def open(
        cls,
        config: VerifierRewardConfig,
        *,
        prompt: PromptConfig,
        tokenizer: Any = None,
        **_: object,
    ) -> Self:
        """The reward, with its verifier loaded."""
        separator = prompt.step_rule
        engine = await open_engine(config.verifier, "verifier", separator=separator)
        return cls(
            engine,
            separator=separator,
            has_chat_template=isinstance(prompt, ChatPromptConfig),
            reduction=config.reduction,
            label=config.label,
            decoder=TokenDecoder(tokenizer) if config.credit == "steps" else None,
        )

    async def judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        """See `Reward`; lists are `Credited`.

        Raises:
            RewardNotFinite: a score is not a finite number.
        """
        solutions = zip(drawn.texts, drawn.grades, drawn.finished, drawn.token_ids, strict=True)
        return await asyncio.gather(
            *(
                self._earn(state, text, ids, is_whole=is_finished and bool(grade.answer))
                for text, grade, is_finished, ids in solutions
            )
        )

    async def close(self) -> None:
        """See `Reward`."""
        await self._engine.close()

    async def _earn(
        self, state: Mapping[str, Any], text: str, token_ids: Sequence[int], *, is_whole: bool
    ) -> Earned:
        steps = split_steps(text, self._separator)
        try:
            scoring = await self._score(state["prompt"], steps) if is_whole else None
        except RequestRejected:  # what this solution earns is not known
            return None
        if self._decoder is None:
            return self._whole(scoring)
        if not token_ids:
            return None
        prefix = state.get("prefix") or ""
        sampled = align(self._decoder, token_ids, text[len(prefix) :])
        rewards = [0.0] * len(token_ids)
        if scoring is not None:
            ends = list(accumulate(map(len, steps)))[-len(scoring.scores) :]
            last = sampled.last_tokens([end - len(prefix) for end in ends if end > len(prefix)])
            rewards = step_token_rewards(scoring.scores, last, len(token_ids))
        return Credited(
            rewards=tuple(rewards),
            total=self._whole(scoring),
            shares=None,
            pieces=sampled.pieces,
            reward=self._label,
            reader=self._engine.model_id,
            scored_tokens=0 if scoring is None else scoring.scored_tokens,
        )

    def _whole(self, scoring: StepScoring | None) -> float:
        """What a solution earns; 0 for one that was not scored."""
        if scoring is None:
            return 0.0
        last = self._reduction == "last"
        return scoring.scores[-1] if last else shaped_return(scoring.scores)

    async def _score(self, prompt: str, steps: Sequence[str]) -> StepScoring:
        return await self._engine.score(
            ScoringRequest(
                prompt=prompt,
                steps=tuple(steps),
                has_chat_template=self._has_chat_template,
                is_whole=True,
            )
        )


REWARD = VerifierReward
