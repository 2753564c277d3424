"""Targets that mix weak labels with the model's own hardened predictions (arXiv:2312.09390, 4.3).

For two classes, as the published code does it: a prediction is right where P(wrong) is below its
quantile at the mean weak label, so that the hardened predictions call as many right as the weak
model does, and a model cannot win by calling everything alike. For tokens the hardened prediction
is the likeliest token.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def hardened(p_wrong: "torch.Tensor", weak: "torch.Tensor") -> "torch.Tensor":
    """[num] 1 where the model takes a step for right, 0 elsewhere.

    Args:
        p_wrong: [num] the model's probabilities of being wrong.
        weak: [num] the weak labels, probabilities of being right.
    """
    import torch

    threshold = torch.quantile(p_wrong, weak.mean())
    return (p_wrong < threshold).to(weak.dtype)


def mix_step_targets(
    logits: "torch.Tensor", targets: "torch.Tensor", weight: float, *, unlabelled: float
) -> "torch.Tensor":
    """The targets of a batch's steps, mixed with the model's hardened predictions.

    Args:
        logits: [num_rows, length, 2].
        targets: [num_rows, length], `unlabelled` where there is no label.
        weight: the share of the predictions, in [0, 1].
        unlabelled: marks tokens without a label, which stay without.
    """
    labelled = targets != unlabelled
    if not weight or not labelled.any():
        return targets
    weak = targets[labelled]
    p_wrong = logits.detach()[labelled].float().softmax(dim=-1)[:, 0]
    mixed = targets.clone()
    mixed[labelled] = (1 - weight) * weak + weight * hardened(p_wrong, weak)
    return mixed


def mix_token_losses(
    logits: "torch.Tensor",
    losses: "torch.Tensor",
    targets: "torch.Tensor",
    weight: float,
    *,
    none: int,
) -> "torch.Tensor":
    """The loss of each token, mixed with that of the model's likeliest token.

    Args:
        logits: [num_tokens, vocabulary].
        losses: [num_tokens] cross entropies of the weak tokens.
        targets: [num_tokens] the weak tokens, `none` where there is no loss.
        weight: the share of the model's own tokens, in [0, 1].
        none: marks tokens without a loss, which stay without.
    """
    import torch

    if not weight:
        return losses
    own = torch.where(targets == none, targets, logits.detach().argmax(dim=-1))
    own_losses = torch.nn.functional.cross_entropy(logits, own, ignore_index=none, reduction="none")
    return (1 - weight) * losses + weight * own_losses
