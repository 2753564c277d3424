"""A value head: what a policy still expects to earn, read from its last hidden states.

One linear layer on the body that the policy's own head reads, so that one forward pass gives both
the probabilities and the values of the same positions, and the reference is the only other model in
memory. It starts at zero. It belongs to the module of the policy, so that gradients, clipping and
workers treat it like any weight, but not to the saved policy, which engines load.

Import it where training starts, not at the top of a module: it needs torch.
"""

from pathlib import Path
from typing import Any

import torch  # noqa: TID253 - the class below subclasses a torch class

from tasks.training.optimizers import VALUE_NAME

_FILE = "value_head.pt"


class ValueHead(torch.nn.Module):
    """Reads the hidden states that a policy's output layer reads, at each forward pass."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(size, 1)
        torch.nn.init.zeros_(self.linear.weight)
        torch.nn.init.zeros_(self.linear.bias)
        self._values: torch.Tensor | None = None

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """The values [num_solutions, num_positions] of hidden states, in float32."""
        with torch.autocast(hidden.device.type, enabled=False):
            return self.linear(hidden.float())[..., 0]

    def take(self) -> torch.Tensor:
        """The values of the last forward pass."""
        values, self._values = self._values, None
        assert values is not None
        return values

    def _read(self, _: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        self._values = self(inputs[0])


def add_value_head(model: Any) -> ValueHead:
    """Give a policy a value head, which every forward pass of the policy then fills."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    output = base.get_output_embeddings()
    head = ValueHead(output.weight.shape[1]).to(output.weight.device)
    base.add_module(VALUE_NAME, head)
    names = {f"{VALUE_NAME}.{name}" for name in head.state_dict()}
    base._keys_to_ignore_on_save = {*(base._keys_to_ignore_on_save or ()), *names}
    output.register_forward_pre_hook(head._read)
    return head


def save_value_head(head: ValueHead, checkpoint: Path) -> None:
    """Write a head into a checkpoint that is being written."""
    torch.save(head.state_dict(), checkpoint / _FILE)


def load_value_head(head: ValueHead, checkpoint: Path) -> None:
    """Read a head from a complete checkpoint."""
    weights = torch.load(checkpoint / _FILE, weights_only=True, map_location="cpu")
    head.load_state_dict(weights)
