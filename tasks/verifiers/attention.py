"""What a reward model's last layer attends to, and the reward it reads there (arXiv:2402.00782).

vLLM does not tell attention, so the model runs in transformers with eager attention. Weights are
those of the last attention layer, averaged over its heads. Batches are padded on the right, where
no token of a causal model attends to, so a text reads alike in every batch up to rounding.

The credit of a reward model (ABC) is the row of the token at which the reward is read. That of the
policy (ABC-D) is the attention that each token gets from itself and later ones, averaged over them,
as in the paper's code; there it is shifted by one token, here it is not.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import ModelUnusable
from tasks.verifiers.sampled_layout import SampledLayout

_PROBE_TOKENS = 3


@dataclass(frozen=True, slots=True)
class AttentionReading:
    """What was read of one solution."""

    hidden: Any
    """[hidden_size] the last hidden state at the layout's position, a tensor."""
    attention: list[float]
    """[num_sampled] attention to each sampled token, not divided by its sum; 0 to unread ones."""


class AttentionReader:
    """Reads solutions with a transformers model, whose attention must be computed eagerly."""

    def __init__(self, model: Any, *, max_batch_tokens: int, name: str = "model") -> None:
        """Wrap a causal model.

        Args:
            model: any transformers model, with adapters or without; it stays as it is.
            max_batch_tokens: padded tokens of a batch; a longer text is a batch of its own.
            name: what messages call it.
        """
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        self._model = model
        self._inner = inner
        self._max_batch_tokens = max_batch_tokens
        found = [m for m in inner.modules() if type(m).__name__.endswith("Attention")]
        if not found:
            raise ModelUnusable(
                f"{name}: expected attention layers, {type(inner).__name__} has none"
            )
        self._layer = found[-1]
        self._name = name

    def read(
        self, layouts: Sequence[SampledLayout], *, received: bool = False
    ) -> list[AttentionReading]:
        """What is read of each solution, in order.

        Args:
            layouts: the solutions; each has a sampled token.
            received: the mean attention that each token gets from itself and later sampled tokens,
                rather than the row of the token at the layout's position.
        """
        import torch

        readings: list[AttentionReading | None] = [None] * len(layouts)
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.no_grad(), eager_attention(self._inner):
                for batch in self._batches(layouts):
                    hidden, weights = self._attend([layouts[i].token_ids for i in batch])
                    for row, index in enumerate(batch):
                        readings[index] = _reading(
                            layouts[index], hidden[row], weights[row], received=received
                        )
        finally:
            self._model.train(was_training)
        return [reading for reading in readings if reading is not None]

    def check(self) -> None:
        """Refuse a model whose last layer does not tell attention to earlier tokens.

        Raises:
            ModelUnusable: what came instead.
        """
        import torch

        with torch.no_grad(), eager_attention(self._inner):
            _, weights = self._attend([[0] * _PROBE_TOKENS])
        rows = weights[0].tolist()
        is_causal = all(rows[i][j] == 0 for i in range(len(rows)) for j in range(i + 1, len(rows)))
        if len(rows) != _PROBE_TOKENS or not is_causal:
            raise ModelUnusable(
                f"{self._name}: expected each token's attention to earlier ones in the last layer, "
                f"got {rows}"
            )

    def _batches(self, layouts: Sequence[SampledLayout]) -> Iterator[list[int]]:
        """Indices of texts of similar length, whose padded tokens fit a batch."""
        batch: list[int] = []
        for index in sorted(range(len(layouts)), key=lambda i: -len(layouts[i].token_ids)):
            longest = len(layouts[batch[0]].token_ids) if batch else 0
            if batch and longest * (len(batch) + 1) > self._max_batch_tokens:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _attend(self, texts: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """Last hidden states [n, T, size], and last attention [n, T, T] averaged over heads."""
        import torch

        length = max(map(len, texts))
        device = next(self._inner.parameters()).device
        ids = torch.tensor([[*text, *[0] * (length - len(text))] for text in texts], device=device)
        mask = torch.tensor(
            [[1] * len(text) + [0] * (length - len(text)) for text in texts], device=device
        )
        found: list[Any] = []

        def keep(_module: Any, _arguments: Any, output: Any) -> None:
            weights = output[1] if isinstance(output, tuple) and len(output) > 1 else None
            if weights is None or weights.ndim != 4:
                raise ModelUnusable(
                    f"{self._name}: expected {type(self._layer).__name__} to return its attention, "
                    f"as transformers' eager attention does"
                )
            found.append(weights.float().mean(1))

        hook = self._layer.register_forward_hook(keep)
        try:
            output = self._inner.base_model(input_ids=ids, attention_mask=mask, use_cache=False)
        finally:
            hook.remove()
        return output.last_hidden_state, found[-1]


@contextlib.contextmanager
def eager_attention(model: Any) -> Iterator[None]:
    """Have a transformers model compute its attention eagerly within the block."""
    before = model.config._attn_implementation
    if before == "eager":
        yield
        return
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


def _reading(
    layout: SampledLayout, hidden: Any, weights: Any, *, received: bool
) -> AttentionReading:
    columns = [column for column in layout.columns if column is not None]
    if received:
        square = weights[columns][:, columns]
        # Later sampled tokens, and the token itself: the triangle below the diagonal.
        counts = square.new_tensor([len(columns) - i for i in range(len(columns))])
        row = square.tril().sum(0) / counts
    else:
        row = weights[layout.position][columns]
    found = iter(row.double().tolist())
    attention = [0.0 if column is None else next(found) for column in layout.columns]
    return AttentionReading(hidden[layout.position], attention)
