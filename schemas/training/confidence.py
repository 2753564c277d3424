"""The confidence loss, with which a strong model may disagree with weak labels."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import FrozenConfig


class ConfidenceConfig(FrozenConfig):
    """Targets mix a weak model's labels with the model's own hardened predictions.

    The auxiliary loss of weak-to-strong generalisation (arXiv:2312.09390, section 4.3): a target is
    (1 - c) x label + c x prediction, where nothing is learned through the prediction.
    """

    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the predictions in the targets (c) once it has risen."""
    warmup_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """First part of the steps, in which the share rises from 0."""
    ramp: Literal["linear", "published_code"] = "linear"
    """How it rises: `linear` up to `weight`; in the published code it is `weight` times the share
    of all steps that are done, and jumps to `weight` at the end."""

    def weight_at(self, progress: float) -> float:
        """The share of the predictions after this part of the steps, in [0, 1]."""
        if progress > self.warmup_fraction or not self.warmup_fraction:
            return self.weight
        if self.ramp == "published_code":
            return self.weight * progress
        return self.weight * progress / self.warmup_fraction
