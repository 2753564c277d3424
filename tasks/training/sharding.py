"""Weights, gradients and optimizer state spread over the workers, by the trainer's own FSDP2.

Import it where training starts, not at the top of a module: it needs torch and accelerate.
Checkpoints hold whole weights, gathered on the first worker, so that a training may be resumed with
a different number of workers.
"""

from typing import Any

import torch  # noqa: TID253 - this module is imported where training starts

from tasks.training.common import local_part


def sharding_arguments(sharding: str) -> dict[str, Any]:
    """The training arguments that spread a model over the workers; empty for `none`."""
    if sharding == "none":
        return {}
    return {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}


def whole_state(trainer: Any) -> dict[str, torch.Tensor]:
    """The trained weights by name, gathered on the first worker; all workers call it."""
    return trainer.accelerator.get_state_dict(trainer.model)


def state_bytes(trainer: Any) -> int:
    """This worker's part of the weights and the optimizer's state, in bytes."""
    held = [*trainer.model.parameters()]
    for state in trainer.optimizer.state.values():
        held += [value for value in state.values() if isinstance(value, torch.Tensor)]
    parts = map(local_part, held)
    return sum(part.numel() * part.element_size() for part in parts)


def let_cpus_shard() -> None:
    """Make accelerate accept a group of CPU processes for sharding.

    It requires a GPU before it looks at the FSDP arguments, though FSDP2 does not need one. Call
    this after the training arguments are made, since they start with a new state.
    """
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    state = PartialState()
    if state.distributed_type == DistributedType.MULTI_CPU:
        state._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        state.distributed_type = DistributedType.MULTI_GPU
