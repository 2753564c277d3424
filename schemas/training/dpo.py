"""Direct preference optimisation."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from schemas.dataset_export import Form
from schemas.rows import ModelRole
from schemas.training.recipe import TrainingRecipe


class DpoConfig(TrainingRecipe):
    """Direct preference optimisation (arXiv:2305.18290): chosen over rejected completions.

    Takes sets of the form `preference`. The reference is the policy that training starts from.
    """

    type: Literal["dpo"] = "dpo"
    form: ClassVar[Form] = "preference"
    role: ClassVar[ModelRole] = "policy"

    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the rows."""
    hidden_lr: Annotated[float, Field(gt=0)] = 5e-4
    """Learning rate of matrices; `schemas/training/recipe.py` has values for large models."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """Weight of the KL divergence from the reference: larger values keep the policy closer."""
    sft_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the chosen completion's likelihood in the loss (RPO, arXiv:2404.19733), which keeps
    right solutions from becoming unlikely along with wrong ones."""
