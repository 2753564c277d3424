"""Rows in one batch, and the loss of their steps."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tasks.prm_training.token_rows import TokenRow

if TYPE_CHECKING:
    import torch

UNLABELLED = -1.0
"""The target of a token that carries no loss."""


def collate(rows: Sequence[TokenRow], *, pad_token_id: int) -> dict[str, Any]:
    """A batch of rows, padded on the right.

    The models are causal and positions count from the left, so padding on the right changes
    nothing before it and no attention mask is needed.

    Returns:
        `input_ids`, `targets` (UNLABELLED where there is no label) and `weights`, each
        [num_rows, max_length], and `num_tokens`, the tokens that are not padding.
    """
    import torch

    width = max(len(row.token_ids) for row in rows)
    input_ids = torch.full((len(rows), width), pad_token_id, dtype=torch.long)
    targets = torch.full((len(rows), width), UNLABELLED)
    weights = torch.ones((len(rows), width))
    for index, row in enumerate(rows):
        input_ids[index, : len(row.token_ids)] = torch.tensor(row.token_ids)
        labels = [UNLABELLED if label is None else label for label in row.labels]
        targets[index, list(row.positions)] = torch.tensor(labels)
        weights[index] = row.weight
    num_tokens = sum(len(row.token_ids) for row in rows)
    return {
        "input_ids": input_ids,
        "targets": targets,
        "weights": weights,
        "num_tokens": num_tokens,
    }


def step_loss(
    logits: "torch.Tensor", targets: "torch.Tensor", weights: "torch.Tensor"
) -> "torch.Tensor":
    """Mean cross entropy of the labelled tokens by their weights; a target may be any probability.

    With targets of 0 and 1 and equal weights it is the loss of TRL's PRM trainer.

    Args:
        logits: [num_rows, length, 2].
        targets: [num_rows, length], UNLABELLED where there is no label.
        weights: [num_rows, length].
    """
    import torch

    labelled = targets != UNLABELLED
    logprobs = torch.log_softmax(logits[labelled].float(), dim=-1)
    target, weight = targets[labelled], weights[labelled]
    losses = -(target * logprobs[:, 1] + (1 - target) * logprobs[:, 0])
    # A batch without any label has a loss of 0, not of 0 / 0.
    return (losses * weight).sum() / weight.sum().clamp(min=1e-8)
