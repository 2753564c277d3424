"""How a verifier is trained from labelled steps."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName
from schemas.engines import EngineConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.training import check_batch

VerifierData = Literal["prm", "orm", "mixture"]


class EarlyStopping(FrozenConfig):
    """Stop when the held-out loss no longer falls, and go back to the best weights seen."""

    every_steps: Annotated[int, Field(ge=1)] = 100
    """Optimizer steps between two looks at the held-out problems."""
    patience: Annotated[int, Field(ge=1)] = 3
    """Looks in a row without a lower loss after which training ends."""


class PrmTrainingConfig(FrozenConfig):
    """What a verifier is trained from, on which labels, and how long."""

    base_model: str
    """Causal language model whose body is trained further: a folder or a Hugging Face id."""
    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "verifier"
    """First part of the trained model's id; the second is a hash of its weights."""
    data: VerifierData = "prm"
    """`prm` every labelled step, `orm` only the last step from the answer, `mixture` both."""
    targets: Literal["hard", "soft"] = "hard"
    """`hard` 0 or 1 per step, `soft` the solved fraction of the step's rollouts."""
    separator: Annotated[str, Field(min_length=1)] = "\n"
    """Text behind every step; the step is read at its last token, in training and serving."""
    max_length: Annotated[int, Field(ge=16)] = 1024
    """Longest prompt and solution in tokens; longer ones are dropped and counted."""
    outcome_share: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Largest share of outcome-only rows among the rows of a `mixture`."""
    outcome_weight: Annotated[float, Field(gt=0)] = 1.0
    """Weight of an outcome row's label in a `mixture`, where a step's label weighs 1."""
    eval_fraction: Annotated[float, Field(ge=0, lt=1)] = 0.05
    """Share of the problems, with all their rows, that are kept from training to measure on."""
    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes over the training rows."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps; takes the place of `epochs` when given."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows of one optimizer step, over all workers; rows of like length go together."""
    micro_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Rows a worker holds in memory at once; None for its whole share of the batch."""
    optimizer: Literal["muon", "adamw"] = "adamw"
    """`muon` for hidden matrices with AdamW for the rest, or AdamW for all."""
    hidden_lr: Annotated[float, Field(gt=0)] = 1e-5
    """Rate of matrices; 1e-3 suits a model of a million weights, 1e-5 one of billions."""
    other_lr: Annotated[float, Field(gt=0)] | None = None
    """Rate of embeddings, norms and biases; None for a quarter of `hidden_lr` with Muon and all
    of it with AdamW."""
    head_lr: Annotated[float, Field(gt=0)] | None = None
    """Rate of the score layer, which starts at zero; None for `hidden_lr`."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled decay of the body's matrices."""
    warmup_steps: Annotated[int, Field(ge=0)] = 30
    """Steps over which the rates rise from zero."""
    decay_fraction: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Last share of the steps, over which the rates fall to zero in a line."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Longest gradient; a longer one is scaled to this length."""
    early_stopping: EarlyStopping | None = None
    """None trains to the end."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16` computes in mixed precision, for GPUs; weights stay float32."""
    gradient_checkpointing: bool = False
    """Compute activations twice to hold fewer in memory, for large models."""
    num_workers: Annotated[int, Field(ge=0)] = 1
    """Training processes under Ray Train, one per GPU where there are GPUs; 0 trains in the
    calling process, without Ray."""
    seed: int = 0
    """Order of rows, choice of held-out problems and of outcome rows."""

    @model_validator(mode="after")
    def _batch_can_be_shared(self) -> Self:
        check_batch(self.batch_size, self.micro_batch_size, self.num_workers)
        if self.early_stopping is not None and self.eval_fraction == 0:
            raise ValueError("early_stopping: expected eval_fraction > 0, got 0")
        return self


class PrmTrainingJob(FrozenConfig):
    """Which labelled solutions of a run a verifier is trained from."""

    set_names: Annotated[tuple[SetName, ...], Field(min_length=1)] = ("train",)
    """The sets of solutions, as the sampling stage named them."""
    policy: EngineConfig
    """The model that wrote them; its prompt format is the verifier's too."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy was asked, and what ends a step."""
    method: str | None = None
    """Which labels, as the `method` column says; None where the run has labels of one method."""
    training: PrmTrainingConfig
    """Base model, targets, recipe."""

    @model_validator(mode="after")
    def _separators_agree(self) -> Self:
        if self.training.separator != self.prompt.separator:
            raise ValueError(
                f"training.separator: expected {self.prompt.separator!r}, which ends the steps of "
                f"the prompt's solutions, got {self.training.separator!r}"
            )
        return self
