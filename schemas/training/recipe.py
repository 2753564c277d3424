"""What all training methods share: the recipe, and what the trainer reads from a job.

The defaults are for the shipped policy of 0.7 million weights; RESULTS.md has what each method
reaches with them. For models of billions, the methods' papers and TRL's defaults agree on:

| | shipped policy | billions, all weights | billions, LoRA |
|---|---|---|---|
| `optimizer` | muon | adamw | adamw |
| `sft` hidden_lr | 2e-3 | 1e-5 to 2e-5 | 1e-4 to 2e-4 |
| `dpo` hidden_lr, beta | 5e-4, .1 | 5e-7 to 1e-6, .1 | 5e-6 to 1e-5, .1 |
| `grpo` hidden_lr, kl_weight | 5e-4, 0 | 1e-6, 0 to .001 | 1e-5, 0 to .001 |
| `ppo` hidden_lr, value_lr | 1e-3, 1e-2 | 1e-6, 1e-5 | 1e-5, 1e-4 |
| `precision` | float32 | bfloat16 | bfloat16 |
| `gradient_checkpointing` | no | yes | yes |
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, Since
from schemas.dataset_export import Form
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.rows import ModelRole

ModelName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class LoraConfig(FrozenConfig):
    """Train low-rank additions to the linear layers, which are merged into them at the end."""

    rank: Annotated[int, Field(ge=1)] = 16
    """Columns of each addition's two matrices."""
    alpha: Annotated[float, Field(gt=0)] = 32.0
    """The additions are scaled by alpha / rank."""
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """Names of the layers that get one; `all-linear` is every linear layer but the head."""


class TrainingRecipe(FrozenConfig):
    """Base of the methods' configs.

    A method's config has a field `type`, the name of its module in `tasks/training/methods`; its
    class variables say what the method is.
    """

    form: ClassVar[Form]
    """The form of the sets that the method takes."""
    role: ClassVar[ModelRole]
    """The role of the trained model: a policy generates, a verifier scores steps."""
    can_shard: ClassVar[bool] = True
    """Whether `sharding` may be `full`."""
    masks_outputs: ClassVar[bool] = True
    """Whether tokens that programs printed (`prompt.tools`) carry no loss."""

    epochs: Annotated[float, Field(gt=0)] = 2.0
    """Passes over the rows."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps; replaces `epochs` if given."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows per optimizer step, over all workers."""
    micro_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Rows that a worker holds in memory at once; None for its whole share of the batch."""
    max_length: Annotated[int, Field(ge=16)] = 2048
    """Maximum tokens of prompt and completion; longer rows are dropped and counted."""
    optimizer: Literal["muon", "adamw"] = "muon"
    """`muon` for hidden matrices with AdamW for the rest, or AdamW for all."""
    hidden_lr: Annotated[float, Field(gt=0)] = 2e-3
    """Learning rate of matrices; the table above has values for large models."""
    other_lr: Annotated[float, Field(gt=0)] | None = None
    """Learning rate of embeddings, head, norms and biases; None for a quarter of `hidden_lr` with
    Muon and the same rate with AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled decay of the hidden matrices."""
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    """Steps over which the rates rise from zero."""
    decay_fraction: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Last share of the steps, over which the rates fall linearly to zero."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Maximum norm of the gradient; a longer one is scaled down to it."""
    lora: LoraConfig | None = None
    """Train only low-rank additions; None trains all weights."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16` computes in mixed precision, for GPUs; trained weights stay float32 until they are
    stored in the base model's type. A bfloat16 base under `lora` stays bfloat16."""
    gradient_checkpointing: bool = False
    """Recompute activations in the backward pass to save memory, for large models."""
    save_every_steps: Annotated[int, Field(ge=1)] = 200
    """Steps between two checkpoints to resume from; two are kept until training ends."""
    num_workers: Annotated[int, Field(ge=0)] = 1
    """Training processes under Ray Train, one per GPU on machines with GPUs; 0 trains in the
    calling process, without Ray."""
    seed: int = 0
    """Decides the order of rows and the sampled solutions."""
    sharding: Annotated[Literal["none", "full"], Since(4)] = "none"
    """`full` distributes weights, gradients and optimizer state over the workers (FSDP2), for
    models that do not fit on one; `none` keeps all of them on every worker."""

    @property
    def method(self) -> str:
        """The method's name."""
        return type(self).model_fields["type"].default

    @property
    def rows_per_step(self) -> int:
        """Rows of the set that an optimizer step takes, over all workers."""
        return self.batch_size

    @property
    def steps_per_draw(self) -> int:
        """Optimizer steps on the same rows, before the next ones are taken."""
        return 1

    @property
    def rates(self) -> dict[str, float | None]:
        """The learning rates by kind of weight; None for a head without its own rate."""
        is_muon = self.optimizer == "muon"
        other = self.other_lr or (self.hidden_lr / 4 if is_muon else self.hidden_lr)
        return {"hidden_lr": self.hidden_lr, "other_lr": other, "head_lr": None}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_batch(self.batch_size, self.micro_batch_size, self.num_workers)
        if self.lora is not None and self.optimizer == "muon":
            raise ValueError(
                "optimizer: expected adamw with lora, got muon, which is made for whole matrices"
            )
        if self.sharding == "full" and not self.can_shard:
            raise ValueError(
                f"sharding: expected none with {self.method}, whose engine needs whole weights at "
                "every step, got full"
            )
        if self.sharding == "full" and self.num_workers < 2:
            raise ValueError(
                f"sharding: expected num_workers of at least 2 with full, got {self.num_workers}"
            )
        return self


class TrainingJob(FrozenConfig):
    """What the trainer reads from a job, whichever model it makes."""

    prompt: PromptConfig = PlainPromptConfig()
    """How the set's prompts were made: a chat prompt already contains its special tokens."""

    @model_validator(mode="after")
    def _outputs_are_masked(self) -> Self:
        if self.prompt.tools is not None and not self.recipe.masks_outputs:
            raise ValueError(
                "prompt.tools: expected a method that leaves what programs printed out of its "
                f"loss, got {self.recipe.method}, which would train on it; choose grpo or ppo"
            )
        return self

    @property
    def recipe(self) -> TrainingRecipe:
        """The method and how it trains."""
        raise NotImplementedError

    @property
    def base(self) -> tuple[str, str | None]:
        """The model that training starts from, and its revision."""
        raise NotImplementedError

    @property
    def made_name(self) -> str:
        """First part of the trained model's id."""
        raise NotImplementedError

    @property
    def made_role(self) -> ModelRole:
        """What the trained model is registered as."""
        return self.recipe.role


def check_batch(batch_size: int, micro_batch_size: int | None, num_workers: int) -> None:
    """Reject a batch that cannot be shared by the workers or split into micro-batches.

    Args:
        batch_size: rows per optimizer step, over all workers.
        micro_batch_size: rows that a worker holds at once; None for its whole share.
        num_workers: training processes; 0 is the calling process.

    Raises:
        ValueError: names the field and says what was expected.
    """
    workers = max(num_workers, 1)
    if batch_size % workers:
        raise ValueError(
            f"batch_size: expected a multiple of num_workers={workers}, got {batch_size}"
        )
    share = batch_size // workers
    if micro_batch_size is not None and share % micro_batch_size:
        raise ValueError(
            f"micro_batch_size: expected a divisor of {share}, a worker's share of the "
            f"batch, got {micro_batch_size}"
        )
