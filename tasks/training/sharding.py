"""Weights, gradients and optimizer state spread over the workers, by the trainer's own FSDP2.

Import it where training starts, not at the top of a module: it needs torch and accelerate.
Checkpoints hold whole weights, gathered on the first worker, so that a training may be resumed by
another number of workers.
"""

from typing import Any

import torch  # noqa: TID253 - this module is imported where training starts

from tasks.training.common import local_part


def sharding_arguments(sharding: str) -> dict[str, Any]:
    """The training arguments that spread a model over the workers; none for `none`."""
    if sharding == "none":
        return {}
    return {"fsdp": True, "fsdp_config": {"version": 2, "state_dict_type": "FULL_STATE_DICT"}}


def whole_state(trainer: Any) -> dict[str, torch.Tensor]:
    """The trained weights by name, gathered on the first worker; all workers call it."""
    return trainer.accelerator.get_state_dict(trainer.model)


def state_bytes(trainer: Any) -> int:
    """What this worker holds of the weights and the optimizer's state, in bytes."""
    held = [*trainer.model.parameters()]
    for state in trainer.optimizer.state.values():
        held += [value for value in state.values() if isinstance(value, torch.Tensor)]
    parts = map(local_part, held)
    return sum(part.numel() * part.element_size() for part in parts)


def let_cpus_shard() -> None:
    """Have accelerate take a group of CPU processes for one that may shard.

    It asks for a GPU before it looks at the FSDP arguments, though nothing in FSDP2 needs one.
    Called after the training arguments were made, which begin with a state of their own.
    """
    from accelerate.state import PartialState
    from accelerate.utils import DistributedType

    state = PartialState()
    if state.distributed_type == DistributedType.MULTI_CPU:
        state._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        state.distributed_type = DistributedType.MULTI_GPU
