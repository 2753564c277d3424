"""What every training of the study shares: one optimizer, one schedule, batches in random order."""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Generator, Tensor

_WARMUP_STEPS = 10
_MAX_GRAD_NORM = 1.0


class Descent:
    """Muon on hidden matrices and AdamW on the rest, clipped; a warm-up, then a linear decay."""

    def __init__(
        self,
        model: Any,
        *,
        hidden_lr: float,
        other_lr: float | None = None,
        num_steps: int,
        num_warmup_steps: int = _WARMUP_STEPS,
    ) -> None:
        """Prepare `num_steps` steps; `other_lr` is half of `hidden_lr` unless given."""
        from tasks.training.optimizers import make_optimizer

        other_lr = hidden_lr / 2 if other_lr is None else other_lr
        self._model = model
        self._optimizer = make_optimizer(model, hidden_lr=hidden_lr, other_lr=other_lr)
        self._peaks = [group["lr"] for group in self._optimizer.param_groups]
        self._num_steps, self._num_warmup_steps = num_steps, num_warmup_steps
        self._step = 0

    def step(self, loss: "Tensor") -> None:
        """One step down.

        Raises:
            TrainingDiverged: the loss is not finite.
        """
        import torch

        from tasks.training.common import check_loss

        rise = min(1.0, (self._step + 1) / self._num_warmup_steps)
        factor = rise * (1 - self._step / self._num_steps)
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * factor
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self._model.parameters(), _MAX_GRAD_NORM)
        check_loss(self._step, loss.item(), norm.item(), remedy="choose a lower rate")
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._step += 1


def num_batches(num: int, size: int) -> int:
    """How many batches an epoch has."""
    return math.ceil(num / size)


def batches(num: int, size: int, generator: "Generator") -> "Iterator[Tensor]":
    """Positions of an epoch's batches, in random order."""
    import torch

    yield from torch.randperm(num, generator=generator).split(size)


class Best:
    """The weights at which a figure was highest."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.value = -math.inf
        self.at: Any = None
        self._weights: Any = None

    def offer(self, value: float, at: Any, model: Any) -> None:
        """Keep the weights if the figure is higher than before."""
        if value > self.value:
            self.value, self.at = value, at
            self._weights = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def restore(self, model: Any) -> Any:
        """The model with the kept weights."""
        model.load_state_dict(self._weights)
        return model


def in_batches(call: "Callable[[Any], Tensor]", traces: Any, size: int = 1024) -> "Tensor":
    """A figure per trace, computed in batches without gradients."""
    import torch

    with torch.no_grad():
        return torch.cat([call(traces[at : at + size]) for at in range(0, len(traces), size)])
