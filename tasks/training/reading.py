"""Drawn solutions as padded batches, and what a model says of their tokens.

Prompts are padded on the left and solutions on the right, so that the solutions' tokens are the
last columns of every row. Positions count from a row's first token, as in the engine.

Import it where training starts, not at the top of a module: it needs torch and TRL.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch  # noqa: TID253 - tensors are what it computes with
from trl.trainer.utils import selective_log_softmax  # noqa: TID253


@dataclass(frozen=True, slots=True)
class TokenBatch:
    """Solutions [n] of t tokens at most, after prompts."""

    input_ids: torch.Tensor
    """[n, p + t]."""
    attention_mask: torch.Tensor
    """[n, p + t]."""
    mask: torch.Tensor
    """[n, t] 1 for the tokens of the solutions."""

    @classmethod
    def of(
        cls,
        prompts: Sequence[Sequence[int]],
        solutions: Sequence[Sequence[int]],
        *,
        pad: int,
        device: Any,
    ) -> "TokenBatch":
        """Pad token ids."""
        before = max(map(len, prompts))
        after = max(map(len, solutions))
        rows, seen, mask = [], [], []
        for prompt, solution in zip(prompts, solutions, strict=True):
            left, right = before - len(prompt), after - len(solution)
            rows.append([pad] * left + [*prompt, *solution] + [pad] * right)
            seen.append([0] * left + [1] * (len(prompt) + len(solution)) + [0] * right)
            mask.append([1] * len(solution) + [0] * right)
        ids, attended, trained = (torch.tensor(each, device=device) for each in (rows, seen, mask))
        return cls(ids, attended, trained)

    def __getitem__(self, index: Any) -> "TokenBatch":
        """Some of the rows."""
        return replace(
            self,
            input_ids=self.input_ids[index],
            attention_mask=self.attention_mask[index],
            mask=self.mask[index],
        )


def token_logprobs(model: Any, batch: TokenBatch) -> tuple[torch.Tensor, torch.Tensor]:
    """The log probability of every token of the solutions, [n, t], and the logits behind them.

    The logits are [n, t, num_tokens_known]; the position before a token predicts it.
    """
    num = batch.mask.shape[1]
    positions = (batch.attention_mask.cumsum(dim=1) - 1).clamp(min=0)
    logits = model(
        input_ids=batch.input_ids,
        attention_mask=batch.attention_mask,
        position_ids=positions,
        use_cache=False,
    ).logits[:, -num - 1 : -1]
    return selective_log_softmax(logits.float(), batch.input_ids[:, -num:]), logits


def masked_mean(values: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean of the values where the mask is 1; 0 where it is nowhere."""
    return (values * mask).sum() / mask.sum().clamp(min=1)
