"""How a verifier is trained from solutions with step labels."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, Since
from schemas.dataset_export import Form
from schemas.rows import ModelRole
from schemas.training.confidence import ConfidenceConfig
from schemas.training.recipe import LoraConfig, ModelName, TrainingRecipe

VerifierData = Literal["prm", "orm", "mixture"]


class EarlyStopping(FrozenConfig):
    """Stop when the held-out loss no longer falls, and keep the best weights."""

    every_steps: Annotated[int, Field(ge=1)] = 100
    """Optimizer steps between two measurements on the held-out problems; a checkpoint is written
    with each of them."""
    patience: Annotated[int, Field(ge=1)] = 3
    """Measurements in a row without a lower loss after which training ends."""


class PrmTrainingConfig(TrainingRecipe):
    """The model that a verifier is trained from, its labels and its recipe.

    Takes sets of the form `stepwise`.
    """

    type: Annotated[Literal["prm"], Since(4)] = "prm"
    form: ClassVar[Form] = "stepwise"
    role: ClassVar[ModelRole] = "verifier"
    identity_order = (
        "base_model",
        "model_name",
        "data",
        "targets",
        "separator",
        "max_length",
        "outcome_share",
        "outcome_weight",
        "eval_fraction",
        "epochs",
        "max_steps",
        "batch_size",
        "micro_batch_size",
        "optimizer",
        "hidden_lr",
        "other_lr",
        "head_lr",
        "weight_decay",
        "warmup_steps",
        "decay_fraction",
        "max_grad_norm",
        "early_stopping",
        "precision",
        "gradient_checkpointing",
        "num_workers",
        "seed",
    )

    base_model: str
    """Causal language model to train further, without its head: a folder or a Hugging Face id."""
    model_name: ModelName = "verifier"
    """First part of the trained model's id; the second is a hash of its weights."""
    data: VerifierData = "prm"
    """`prm` uses every labelled step, `orm` only the last step with the answer's label, `mixture`
    both."""
    targets: Literal["hard", "soft"] = "hard"
    """`hard` is 0 or 1 per step, `soft` the solved fraction of the step's rollouts."""
    separator: Annotated[str, Field(min_length=1)] = "\n"
    """Text after every step; the step is read at its last token, in training and serving."""
    max_length: Annotated[int, Field(ge=16)] = 1024
    """Maximum tokens of prompt and solution; longer rows are dropped and counted."""
    outcome_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Maximum share of outcome-only rows in a `mixture`."""
    outcome_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of an outcome row's label in a `mixture`, relative to 1 for a step's label."""
    eval_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the problems that are held out, with all their rows, to measure on."""
    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the training rows."""
    optimizer: Literal["muon", "adamw"] = "adamw"
    """`muon` for hidden matrices with AdamW for the rest, or AdamW for all."""
    hidden_lr: Annotated[float, Field(gt=0)] = 1e-5
    """Learning rate of matrices; 1e-3 suits a model of a million weights, 1e-5 one of billions."""
    head_lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of the score layer, whose weights start at zero; None for `hidden_lr`."""
    warmup_steps: Annotated[int, Field(ge=0)] = 30
    """Steps over which the rates rise from zero."""
    decay_fraction: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Last share of the steps, over which the rates fall linearly to zero."""
    lora: Annotated[LoraConfig | None, Since(4)] = None
    """Train only low-rank additions and the score layer; None trains all weights."""
    save_every_steps: Annotated[int, Field(ge=1), Since(4)] = 200
    """Steps between two checkpoints to resume from; two are kept until training ends."""
    early_stopping: EarlyStopping | None = None
    """When to stop early; None trains to the end."""
    confidence: Annotated[ConfidenceConfig | None, Since(4)] = None
    """Let the verifier disagree with labels of a weaker one; None trusts them."""
    seed: int = 0
    """Decides the order of rows, the held-out problems and the outcome rows."""

    @property
    def rates(self) -> dict[str, float | None]:
        """The learning rates by kind of weight."""
        return {**super().rates, "head_lr": self.head_lr or self.hidden_lr}

    @model_validator(mode="after")
    def _can_stop_early(self) -> Self:
        if self.early_stopping is not None and self.eval_fraction == 0:
            raise ValueError("early_stopping: expected eval_fraction > 0, got 0")
        return self
