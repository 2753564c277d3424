"""What each token of a drawn solution earns: a reward model's R, divided by attention.

ABC (arXiv:2402.00782): the shares are the attention of the reward model's last layer where it reads
the whole solution (`tasks/verifiers/reward_models.py`), or the policy's own (ABC-D); the paper's
baselines are `uniform` and `sparse`. The formula and what it leaves as it is are said in
`tasks/verifiers/credit.py`.

Deviations: the reward model reads the sampled tokens themselves, not their text again; tokens that
it does not read (an end of text, a stop string) get no share; the policy's attention is read from
the finished solution, with the weights of the time, not collected while it was generated. A
solution of which no token is read earns at its last token alone. One that is longer than the reward
model can read has no known reward, and trains nothing.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Self

from schemas.prompts import PromptConfig
from schemas.steps import StepRule
from schemas.training.rewards import AttentionRewardConfig
from tasks.steps.sampled import SampledText, align
from tasks.steps.segmentation import split_steps
from tasks.steps.token_texts import TokenDecoder
from tasks.training.rewards import Drawn, Earned
from tasks.verifiers.attention import AttentionReader
from tasks.verifiers.credit import (
    Credited,
    check_finite,
    equal_shares,
    last_share,
    spread,
    to_shares,
)
from tasks.verifiers.reward_models import RewardModel, RewardReading, to_p_right
from tasks.verifiers.sampled_layout import SampledSolution, lay_out_written


class AttentionReward:
    """Rewards tokens of solutions; the reward model runs in this process."""

    def __init__(
        self,
        config: AttentionRewardConfig,
        reward_model: RewardModel,
        *,
        rule: StepRule,
        tokenizer: Any,
        policy: Any = None,
    ) -> None:
        """Use an open reward model.

        Args:
            config: of the reward.
            reward_model: says R, in the policy's vocabulary.
            rule: what ends a step.
            tokenizer: the policy's.
            policy: the transformers model whose own attention divides, if the config says so.
        """
        self._config = config
        self._reward_model = reward_model
        self._rule = rule
        self._decoder = TokenDecoder(tokenizer)
        self._policy: AttentionReader | None = None
        if config.credit == "policy_attention":
            self._policy = AttentionReader(
                policy, max_batch_tokens=config.verifier.max_batch_tokens, name="policy"
            )
            self._policy.check()
        self._reading = threading.Lock()

    @classmethod
    async def open(
        cls,
        config: AttentionRewardConfig,
        *,
        prompt: PromptConfig,
        model: Any = None,
        tokenizer: Any,
        **_: object,
    ) -> Self:
        """The reward, with its model loaded."""
        reward_model = RewardModel.open(config.verifier, separator=prompt.step_rule)
        return cls(config, reward_model, rule=prompt.step_rule, tokenizer=tokenizer, policy=model)

    async def judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        """See `Reward`; the lists are `Credited`.

        Raises:
            RewardNotFinite: R or an attention is not a finite number.
        """
        # In a thread, so that the policy's engine goes on in the meantime.
        return await asyncio.to_thread(self._judge, state, drawn)

    async def close(self) -> None:
        """See `Reward`."""

    def _judge(self, state: Mapping[str, Any], drawn: Drawn) -> list[Earned]:
        prefix = state.get("prefix") or ""
        rule = self._rule.after(len(split_steps(prefix, self._rule.unlimited)))
        sampled = [
            align(self._decoder, ids, text[len(prefix) :])
            for ids, text in zip(drawn.token_ids, drawn.texts, strict=True)
        ]
        solutions = [
            SampledSolution(
                before=drawn.prompt_ids,
                steps=each.steps(rule),
                num_tokens=len(each.token_ids),
                question=state.get("question") or "",
            )
            for each in sampled
        ]
        readable = [
            index
            for index, (each, solution) in enumerate(zip(sampled, solutions, strict=True))
            if each.token_ids and self._reward_model.can_read(solution)
        ]
        read = self._read([(sampled[index], solutions[index]) for index in readable])
        earned: list[Earned] = [None] * len(sampled)
        for index, reading in zip(readable, read, strict=True):
            is_finished = drawn.finished[index]
            earned[index] = self._credit(sampled[index], reading, is_finished=is_finished)
        return earned

    def _read(
        self, solutions: Sequence[tuple[SampledText, SampledSolution]]
    ) -> list[RewardReading]:
        """R of each, and the attention that divides it."""
        with self._reading:
            readings = self._reward_model.read([solution for _, solution in solutions])
            if self._policy is None:
                return readings
            written = [
                lay_out_written(solution, each.token_ids[each.num_kept :])
                for each, solution in solutions
            ]
            own = self._policy.read(written, received=True)
        return [
            RewardReading(
                reading.log_odds, mine.attention, reading.scored_tokens + len(layout.token_ids)
            )
            for reading, mine, layout in zip(readings, own, written, strict=True)
        ]

    def _credit(
        self,
        sampled: SampledText,
        reading: RewardReading,
        *,
        is_finished: bool,
    ) -> Credited:
        config = self._config
        check_finite("R", [reading.log_odds])
        in_odds = config.earns == "log_odds"
        total = reading.log_odds if in_odds else to_p_right(reading.log_odds)
        total *= config.scale
        if config.unfinished is not None and not is_finished:
            total = config.unfinished
        shares, beta = self._shares(reading.attention)
        return Credited(
            rewards=tuple(spread(total, shares, beta)),
            total=total,
            shares=tuple(shares),
            pieces=sampled.pieces,
            reward=config.label,
            reader=self._reward_model.model_id,
            scored_tokens=reading.scored_tokens,
        )

    def _shares(self, attention: Sequence[float]) -> tuple[list[float], float]:
        """The tokens' shares, and the part of R that they divide."""
        if self._config.credit == "uniform":
            return equal_shares(len(attention)), 1.0
        if self._config.credit == "sparse" or not any(attention):
            return last_share(len(attention)), 1.0
        return to_shares(attention), self._config.beta


REWARD = AttentionReward
