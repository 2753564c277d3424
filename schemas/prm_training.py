"""Which labelled solutions a verifier is trained from: the job of the PRM-training stage."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from schemas.base import SetName, Since
from schemas.dataset_export import ChecksConfig
from schemas.engines import EngineConfig
from schemas.training.prm import PrmTrainingConfig
from schemas.training.recipe import TrainingJob, TrainingRecipe

__all__ = ["VERIFIER_CHECKS", "PrmTrainingConfig", "PrmTrainingJob"]

VERIFIER_CHECKS = ChecksConfig(min_step_chars=1)
"""The checks of a verifier's set: as for any other set, but a step of one character is allowed."""


class PrmTrainingJob(TrainingJob):
    """Which labelled solutions a verifier is trained from: a run's own, or a built set."""

    identity_order = ("set_names", "policy", "prompt", "method", "training")

    set_names: Annotated[tuple[SetName, ...], Field(min_length=1)] = ("train",)
    """The run's sets of solutions, as named by the sampling stage; a `stepwise` set is built from
    them first."""
    policy: EngineConfig
    """The model that wrote them; its prompt format is the verifier's too."""
    method: str | None = None
    """The labels to use, as in the `method` column; None if the run has only one method."""
    training: PrmTrainingConfig
    """Base model, targets and recipe."""
    training_set: Annotated[str | None, Since(4)] = None
    """The name of a `stepwise` set in the store's `datasets/`, or a folder with one, to use instead
    of `set_names`."""
    checks: Annotated[ChecksConfig, Since(4)] = VERIFIER_CHECKS
    """What is left out of the set that is built."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The sets with labels, unless a built set is used."""
        return None if self.training_set else self.set_names

    @property
    def recipe(self) -> TrainingRecipe:
        """How the verifier is trained."""
        return self.training

    @property
    def base(self) -> tuple[str, str | None]:
        """The model that training starts from, and its revision."""
        return self.training.base_model, None

    @property
    def made_name(self) -> str:
        """First part of the trained model's id."""
        return self.training.model_name

    @model_validator(mode="after")
    def _separators_agree(self) -> Self:
        if self.training.separator != self.prompt.separator:
            raise ValueError(
                f"training.separator: expected {self.prompt.separator!r}, which ends the steps of "
                f"the prompt's solutions, got {self.training.separator!r}"
            )
        return self
