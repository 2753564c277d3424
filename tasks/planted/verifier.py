"""The verifier: the base with a scalar head on the last symbol, fitted by binary cross entropy.

A reward is scaled into [0, 1] by the largest one, so a bilevel reward is a soft label. A share of
the labelled traces is held out and decides how many epochs are kept; no other label is used.
"""

import math
from typing import TYPE_CHECKING, Any

from schemas.experiments.planted import VerifierTrainingConfig
from tasks.planted.model import copy_of, text_ids
from tasks.planted.traces import Traces, seeded
from tasks.planted.training import Best, Descent, batches, in_batches, num_batches

if TYPE_CHECKING:
    from torch import Tensor


def new_verifier(base: Any, mean: float) -> Any:
    """An unfitted verifier that gives every trace the mean label, in (0, 1)."""
    import torch

    class Verifier(torch.nn.Module):
        """A body, and a head that reads its last position."""

        def __init__(self) -> None:
            super().__init__()
            self.body = copy_of(base).model
            self.score = torch.nn.Linear(self.body.config.hidden_size, 1)
            torch.nn.init.zeros_(self.score.weight)
            torch.nn.init.constant_(self.score.bias, math.log(mean / (1 - mean)))

        def forward(self, traces: Traces) -> "Tensor":
            """[num_traces] logits."""
            states = self.body(input_ids=text_ids(traces), use_cache=False).last_hidden_state
            return self.score(states[:, -1])[:, 0]

    return Verifier()


def fit_verifier(
    base: Any, traces: Traces, labels: "Tensor", config: VerifierTrainingConfig, seed: int
) -> Any:
    """A verifier of traces.

    Args:
        base: its body at the start.
        traces: the labelled traces.
        labels: [num_traces] rewards over the largest one, in [0, 1].
        config: the recipe.
        seed: of the order of batches.

    Raises:
        ValueError: fewer than two traces, or labels that are not one per trace or not in [0, 1].
        TrainingDiverged: the loss is not finite.
    """
    import torch

    _check(traces, labels)
    mean = min(max(labels.mean().item(), 0.01), 0.99)
    num_held_out = min(max(1, round(config.held_out_share * len(traces))), len(traces) - 1)
    kept, kept_labels = traces[num_held_out:], labels[num_held_out:]
    held_out, held_out_labels = traces[:num_held_out], labels[:num_held_out]
    verifier, best, generator = new_verifier(base, mean), Best(), seeded(seed)
    num_steps = config.max_epochs * num_batches(len(kept), config.batch_traces)
    descent = Descent(verifier, hidden_lr=config.rate, num_steps=num_steps)
    loss = torch.nn.functional.binary_cross_entropy_with_logits
    for epoch in range(config.max_epochs + 1):
        if epoch:
            verifier.train()
            for at in batches(len(kept), config.batch_traces, generator):
                descent.step(loss(verifier(kept[at]), kept_labels[at]))
        verifier.eval()
        logits = in_batches(verifier, held_out)
        best.offer(-loss(logits, held_out_labels).item(), epoch, verifier)
    return best.restore(verifier).eval()


def scores_of(verifier: Any, traces: Traces) -> "Tensor":
    """[num_traces] the estimated reward over the largest one, in (0, 1)."""
    import torch

    return torch.sigmoid(in_batches(verifier, traces))


def _check(traces: Traces, labels: "Tensor") -> None:
    if len(traces) < 2 or labels.shape != (len(traces),):
        raise ValueError(
            f"expected a label for each of at least two traces, got {tuple(labels.shape)} labels "
            f"for {len(traces)} traces"
        )
    wrong = ~((labels >= 0) & (labels <= 1))
    if wrong.any():
        row = int(wrong.int().argmax())
        raise ValueError(f"label {row}: expected a number in [0, 1], got {labels[row].item():g}")
