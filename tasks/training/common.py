"""What all trainings with a Hugging Face trainer share: learning rates over time, and divergence.

Import it where training starts, not at the top of a module: it needs torch.
"""

import math
from typing import Any

import torch  # noqa: TID253 - this module is imported where training starts

LOG_EVERY_STEPS = 10
"""Steps between two progress reports, and between two checks of the loss."""


class TrainingDiverged(ValueError):
    """The loss or a weight is not a number, or the model has become useless."""


def lr_factor(step: int, *, num_steps: int, warmup_steps: int, decay_fraction: float) -> float:
    """The factor of the peak rates at a step (0 is the first).

    A warm-up that ends at the peak, a plateau, and a linear decay. The shape is that of
    transformers' `get_wsd_schedule`, except that there the warm-up begins with a step at a rate of
    zero, which trains nothing, and reaches the peak one step later.

    Args:
        step: optimizer steps so far.
        num_steps: of the whole training.
        warmup_steps: during which the rates rise.
        decay_fraction: last share of the steps, during which the rates fall to zero.
    """
    warmup = min(1.0, (step + 1) / max(warmup_steps, 1))
    decay_steps = decay_fraction * num_steps
    decay = min(1.0, (num_steps - step) / decay_steps) if decay_steps else 1.0
    return warmup * max(decay, 0.0)


def check_loss(step: int, loss: float, grad_norm: float, *, remedy: str) -> None:
    """Refuse a loss or a gradient that is not a number.

    Raises:
        TrainingDiverged: names the step and the remedy.
    """
    if not math.isfinite(loss) or not math.isfinite(grad_norm):
        raise TrainingDiverged(
            f"training diverged by step {step}: loss {loss}, gradient norm {grad_norm}; {remedy}"
        )


def check_weights(model: torch.nn.Module) -> None:
    """Refuse a model with a weight that is not a number; of a sharded one, this worker's part.

    Raises:
        TrainingDiverged: names the weight.
    """
    for name, parameter in model.named_parameters():
        if not torch.isfinite(local_part(parameter)).all():
            raise TrainingDiverged(f"training diverged: weight {name} is not finite")


def local_part(parameter: torch.Tensor) -> torch.Tensor:
    """This worker's part of a weight: its shard, or all of it."""
    shard: Any = parameter.detach()
    return shard.to_local() if hasattr(shard, "to_local") else shard


def num_training_processes() -> int:
    """Processes that train together, this one included."""
    distributed = torch.distributed
    return distributed.get_world_size() if distributed.is_initialized() else 1


def training_rank() -> int:
    """This process's number among those that train together, from 0."""
    distributed = torch.distributed
    return distributed.get_rank() if distributed.is_initialized() else 0


def pad_token_id(tokenizer: Any) -> int:
    """Any valid token will do: padding is never read."""
    return 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id
