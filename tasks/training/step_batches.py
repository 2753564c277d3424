"""Rows with step labels in one batch, and the loss of their steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

UNLABELLED = -1.0
"""The target of a token that carries no loss."""


def collate(
    rows: Sequence[Mapping[str, Any]], *, pad_token_id: int, outcome_weight: float = 1.0
) -> dict[str, Any]:
    """A batch of rows, padded on the right.

    The models are causal and positions count from the left, so padding on the right changes
    nothing before it; the mask only serves to count tokens, and no model reads it.

    Returns:
        `input_ids`, `targets` (UNLABELLED where there is no label), `weights` and
        `attention_mask`, each [num_rows, max_length].
    """
    import torch

    width = max(len(row["input_ids"]) for row in rows)
    shape = (len(rows), width)
    batch = {
        "input_ids": torch.full(shape, pad_token_id, dtype=torch.long),
        "targets": torch.full(shape, UNLABELLED),
        "weights": torch.ones(shape),
        "attention_mask": torch.zeros(shape, dtype=torch.long),
    }
    for index, row in enumerate(rows):
        length = len(row["input_ids"])
        batch["input_ids"][index, :length] = torch.tensor(row["input_ids"])
        labels = [UNLABELLED if label is None else label for label in row["labels"]]
        batch["targets"][index, list(row["positions"])] = torch.tensor(labels, dtype=torch.float32)
        batch["weights"][index] = row_weight(row, outcome_weight)
        batch["attention_mask"][index, :length] = 1
    return batch


def row_weight(row: Mapping[str, Any], outcome_weight: float) -> float:
    """The weight of a label of this row."""
    return outcome_weight if row["is_outcome"] else 1.0


def step_loss(
    logits: "torch.Tensor", targets: "torch.Tensor", weights: "torch.Tensor"
) -> "torch.Tensor":
    """Weighted mean cross entropy of the labelled tokens; a target may be any probability.

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
    # A batch without labels has a loss of 0, not 0 / 0.
    return (losses * weight).sum() / weight.sum().clamp(min=1e-8)
