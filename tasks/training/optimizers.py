"""The optimizer of every training: Muon with AdamW, or AdamW alone.

Muon (https://kellerjordan.github.io/posts/muon, torch.optim.Muon) orthogonalises the momentum of
a weight matrix; it does not suit embeddings, output heads, norms and biases, which get AdamW. Both
act as one optimizer, so learning-rate schedules, gradient clipping, checkpoints and the Hugging
Face Trainer see all parameters in one place.

Import it where training starts, not at the top of a module: it needs torch.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch  # noqa: TID253 - the class below subclasses a torch class

HEAD_NAMES = frozenset({"lm_head", "score", "classifier"})
"""The names of read-out layers in Hugging Face models."""
VALUE_NAME = "value_head"
"""The name of a policy's value head."""


class SplitOptimizer(torch.optim.Optimizer):
    """Several optimizers, each with its own parameters, presented as one."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        self.parts = list(parts)
        self._num_groups = [len(part.param_groups) for part in parts]
        super().__init__([group for part in parts for group in part.param_groups], defaults={})
        self._share()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:  # type: ignore[override]
        """Take one step with every part; returns the closure's loss, if given one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state and groups of all parts from `state_dict()` of an equal optimizer."""
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Make the parts use this optimizer's own groups and state, so neither can go stale."""
        first = 0
        for part, num_groups in zip(self.parts, self._num_groups, strict=True):
            part.param_groups = self.param_groups[first : first + num_groups]
            part.state = self.state
            first += num_groups


def make_optimizer(
    model: torch.nn.Module,
    *,
    kind: Literal["muon", "adamw"] = "muon",
    hidden_lr: float,
    other_lr: float,
    head_lr: float | None = None,
    value_lr: float | None = None,
    weight_decay: float = 0.0,
) -> torch.optim.Optimizer:
    """One optimizer over every trainable parameter of a model, each in exactly one group.

    Args:
        model: any model; its read-out layer is found by name (`HEAD_NAMES`).
        kind: `muon` trains the hidden matrices with Muon and the rest with AdamW, `adamw` trains
            everything with AdamW.
        hidden_lr: the rate of matrices that are neither embedding nor head; Muon's is scaled to
            the update size of AdamW, so rates found for AdamW are a sensible start.
        other_lr: AdamW's rate for embeddings, norms and biases.
        head_lr: AdamW's rate for the read-out layer; None for `other_lr`.
        value_lr: AdamW's rate for a value head; None for `other_lr`.
        weight_decay: decoupled decay of the hidden matrices.

    Raises:
        ValueError: the model has no trainable parameter.
    """
    hidden, head, value, other = _split_parameters(model)
    if not (hidden or head or value or other):
        raise ValueError("expected a model with trainable parameters, every one is frozen")
    rates = (
        (other, other_lr),
        (head, other_lr if head_lr is None else head_lr),
        (value, other_lr if value_lr is None else value_lr),
    )
    adam_groups = [{"params": p, "lr": lr, "weight_decay": 0.0} for p, lr in rates if p]
    if kind == "adamw":
        if hidden:
            group = {"params": hidden, "lr": hidden_lr, "weight_decay": weight_decay}
            adam_groups.insert(0, group)
        return _adamw(adam_groups)
    parts: list[torch.optim.Optimizer] = []
    if hidden:
        parts.append(
            torch.optim.Muon(
                hidden,
                lr=hidden_lr,
                momentum=0.95,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    if adam_groups:
        parts.append(_adamw(adam_groups))
    return SplitOptimizer(parts)


def _adamw(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.0)


def _split_parameters(
    model: torch.nn.Module,
) -> tuple[list[torch.nn.Parameter], ...]:
    """The trainable parameters as (hidden matrices, head, value head, everything else)."""
    embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, torch.nn.Embedding)
        for parameter in module.parameters()
    }
    hidden, head, value, other = [], [], [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if id(parameter) in embeddings:
            other.append(parameter)
        elif VALUE_NAME in name.split("."):
            value.append(parameter)
        elif HEAD_NAMES & set(name.split(".")):
            head.append(parameter)
        elif parameter.ndim == 2:
            hidden.append(parameter)
        else:
            other.append(parameter)
    return hidden, head, value, other
