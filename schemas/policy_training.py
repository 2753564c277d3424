"""Which policy is trained on which set: the job of the policy-training stage."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import Since
from schemas.engines import VLLMConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.rows import ModelRole
from schemas.training.methods import (
    DpoConfig,
    DrawingMethod,
    GrpoConfig,
    PolicyMethod,
    PpoConfig,
    RlooConfig,
    SftConfig,
)
from schemas.training.recipe import ModelName, TrainingJob, TrainingRecipe

__all__ = [
    "DpoConfig",
    "DrawingMethod",
    "GrpoConfig",
    "PolicyMethod",
    "PolicyTrainingJob",
    "PpoConfig",
    "RlooConfig",
    "SftConfig",
]


class PolicyTrainingJob(TrainingJob):
    """Which policy is trained on which set, and how."""

    identity_order = ("policy", "training_set", "model_name", "prompt", "grader", "method")

    policy: VLLMConfig
    """The policy that training starts from; its vLLM settings matter only to methods that
    sample."""
    training_set: Annotated[str, Field(min_length=1)]
    """The name of a set in the store's `datasets/`, or a folder that contains one."""
    model_name: ModelName = "policy"
    """First part of the trained model's id; the second part is a hash of its weights."""
    grader: GraderConfig = MathGraderConfig()
    """Decides whether a sampled solution is right."""
    method: PolicyMethod = SftConfig()
    """The training method with its recipe: imitation, preference or reward."""

    role: Annotated[Literal["policy", "critic"], Since(4)] = "policy"
    """What the trained model is registered as: a `critic` learns from a set of critiques, and is
    what `critic.engine.model` of the next critiques takes."""

    @model_validator(mode="after")
    def _starts_from_whole_weights(self) -> Self:
        if self.policy.lora is not None:
            raise ValueError(
                f"policy.lora: expected none, since training starts from whole weights, got "
                f"{self.policy.lora!r}: merge the adapter into the model first"
            )
        return self

    @property
    def recipe(self) -> TrainingRecipe:
        """The method and how it trains."""
        return self.method

    @property
    def base(self) -> tuple[str, str | None]:
        """The model that training starts from, and its revision."""
        return self.policy.model, self.policy.revision

    @property
    def made_name(self) -> str:
        """First part of the trained model's id."""
        return self.model_name

    @property
    def made_role(self) -> ModelRole:
        """See TrainingJob."""
        return self.role
