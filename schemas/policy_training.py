"""How a policy is trained on a built set: by imitation, by preference, or by its own rewards.

The defaults are for the shipped policy of 0.7 million weights; RESULTS.md has what each method
reaches with them. For models of billions, what the methods' papers and TRL's own defaults agree on:

| | shipped policy | billions, all weights | billions, LoRA |
|---|---|---|---|
| `optimizer` | muon | adamw | adamw |
| `sft` hidden_lr | 2e-3 | 1e-5 to 2e-5 | 1e-4 to 2e-4 |
| `dpo` hidden_lr, beta | 5e-4, .1 | 5e-7 to 1e-6, .1 | 5e-6 to 1e-5, .1 |
| `grpo` hidden_lr, kl_weight | 5e-4, 0 | 1e-6, 0 to .001 | 1e-5, 0 to .001 |
| `precision` | float32 | bfloat16 | bfloat16 |
| `gradient_checkpointing` | no | yes | yes |
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.engines import EngineConfig, VLLMConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.training import check_batch

SetForm = Literal["prompt_completion", "preference", "prompt_only"]


class LoraConfig(FrozenConfig):
    """Low-rank additions to the linear layers are trained, and merged into them at the end."""

    rank: Annotated[int, Field(ge=1)] = 16
    """Columns of each addition's two matrices."""
    alpha: Annotated[float, Field(gt=0)] = 32.0
    """The additions are scaled by alpha / rank."""
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """Names of the layers that get one; `all-linear` is every linear layer but the head."""


class MethodConfig(FrozenConfig):
    """What all methods have in common."""

    epochs: Annotated[float, Field(gt=0)] = 2.0
    """Passes over the rows."""
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps; takes the place of `epochs` when given."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Rows of one optimizer step, over all workers."""
    micro_batch_size: Annotated[int, Field(ge=1)] | None = None
    """Rows a worker holds in memory at once; None for its whole share of the batch."""
    max_length: Annotated[int, Field(ge=16)] = 2048
    """Longest prompt and completion in tokens; longer rows are dropped and counted."""
    optimizer: Literal["muon", "adamw"] = "muon"
    """`muon` for hidden matrices with AdamW for the rest, or AdamW for all."""
    hidden_lr: Annotated[float, Field(gt=0)] = 2e-3
    """Rate of matrices; the table above has values for large models."""
    other_lr: Annotated[float, Field(gt=0)] | None = None
    """Rate of embeddings, head, norms and biases; None for a quarter of `hidden_lr` with Muon and
    all of it with AdamW."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Decoupled decay of the hidden matrices."""
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    """Steps over which the rates rise from zero."""
    decay_fraction: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Last share of the steps, over which the rates fall to zero in a line."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Longest gradient; a longer one is scaled to this length."""
    lora: LoraConfig | None = None
    """Train low-rank additions only; None trains all weights."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """`bfloat16` computes in mixed precision, for GPUs; trained weights stay float32."""
    gradient_checkpointing: bool = False
    """Compute activations twice to hold fewer in memory, for large models."""
    save_every_steps: Annotated[int, Field(ge=1)] = 200
    """Steps between two checkpoints to go on from; two are kept until the training is done."""
    num_workers: Annotated[int, Field(ge=0)] = 1
    """Training processes under Ray Train, one per GPU where there are GPUs; 0 trains in the
    calling process, without Ray."""
    seed: int = 0
    """Order of rows, and draws of rollouts."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        check_batch(self.batch_size, self.micro_batch_size, self.num_workers)
        if self.lora is not None and self.optimizer == "muon":
            raise ValueError(
                "optimizer: expected adamw with lora, got muon, which is made for whole matrices"
            )
        return self


class SftConfig(MethodConfig):
    """Imitation: the likelihood of each completion given its prompt is raised.

    Takes sets of the form `prompt_completion`. A row's weight scales its loss.
    """

    type: Literal["sft"] = "sft"
    packing: bool = False
    """Lay the rows of a micro-batch one behind the other instead of padding them to one length.
    The loss is the same; on a GPU with flash attention it saves what padding costs."""


class DpoConfig(MethodConfig):
    """Direct preference optimisation (arXiv:2305.18290): chosen over rejected completions.

    Takes sets of the form `preference`. The reference is the policy that training starts from.
    """

    type: Literal["dpo"] = "dpo"
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the rows."""
    hidden_lr: Annotated[float, Field(gt=0)] = 5e-4
    """Rate of matrices; the table above has values for large models."""
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How dear it is to leave the reference: the weight of the KL divergence from it."""
    sft_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the chosen completion's own likelihood in the loss (RPO, arXiv:2404.19733); it
    keeps right solutions from becoming unlikely together with wrong ones."""


class GradeRewardConfig(FrozenConfig):
    """A reward for the end of a solution, by its answer (R3, arXiv:2402.05808)."""

    type: Literal["grade"] = "grade"
    right: float = 1.0
    """The answer is right."""
    parsable: float = 0.2
    """There is an answer, and it is wrong."""
    neither: float = 0.0
    """There is no answer, or the solution did not come to its end."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.right > self.parsable >= self.neither:
            raise ValueError(
                f"expected right > parsable >= neither, got {self.right}, {self.parsable}, "
                f"{self.neither}"
            )
        return self


class VerifierRewardConfig(FrozenConfig):
    """A verifier's scores of the steps, as differences of their running minimum.

    Each step earns what it changes the lowest score so far, so a solution earns its lowest score,
    and no further step can raise that; one without an answer, or without an end, earns 0.
    """

    type: Literal["verifier"] = "verifier"
    verifier: EngineConfig
    """The model that scores."""


RewardConfig = Annotated[GradeRewardConfig | VerifierRewardConfig, Field(discriminator="type")]


class GrpoConfig(MethodConfig):
    """Group-relative policy optimisation (GRPO, arXiv:2402.03300) on the policy's own solutions.

    Takes sets of the form `prompt_only`: start states, each a prompt and perhaps the first steps
    of a solution. Solutions are drawn at temperature 1, from the policy as it is at that step.
    """

    type: Literal["grpo"] = "grpo"
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the start states."""
    batch_size: Annotated[int, Field(ge=1)] = 64
    """Solutions of one optimizer step, over all workers: start states times `group_size`."""
    group_size: Annotated[int, Field(ge=2)] = 8
    """Solutions of one start state, whose rewards are compared."""
    max_new_tokens: Annotated[int, Field(ge=1)] = 1024
    """Cut-off in tokens; a solution cut here has not come to its end."""
    max_generated_tokens: Annotated[int, Field(ge=1)] | None = None
    """The step at which all workers together have drawn this many tokens is the last one, if
    `epochs` or `max_steps` did not end the training before; None for no such end. Rates that fall
    are planned for `epochs` or `max_steps`: with `decay_fraction` 0 they stay."""
    hidden_lr: Annotated[float, Field(gt=0)] = 5e-4
    """Rate of matrices; the table above has values for large models."""
    reward: RewardConfig = GradeRewardConfig()
    """What a solution earns."""
    scale_rewards: Literal["group", "batch", "none"] = "group"
    """Whose standard deviation an advantage is divided by."""
    kl_weight: Annotated[float, Field(ge=0)] = 0.0
    """Weight of the KL divergence from the policy that training starts from; above 0 that policy
    is kept in memory too."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """How far a token's probability ratio may leave 1."""
    save_every_steps: Annotated[int, Field(ge=1)] = 20
    """Steps between two checkpoints to go on from; two are kept until the training is done."""

    @model_validator(mode="after")
    def _groups_are_whole(self) -> Self:
        if self.batch_size % self.group_size:
            raise ValueError(
                f"batch_size: expected a multiple of group_size={self.group_size}, "
                f"got {self.batch_size}"
            )
        return self


PolicyMethod = Annotated[SftConfig | DpoConfig | GrpoConfig, Field(discriminator="type")]

FORMS: dict[str, SetForm] = {
    "sft": "prompt_completion",
    "dpo": "preference",
    "grpo": "prompt_only",
}
"""The form of set that each method takes."""


class PolicyTrainingJob(FrozenConfig):
    """Which policy is trained on which set, and how."""

    policy: VLLMConfig
    """The policy that training starts from; how vLLM runs it counts where solutions are drawn."""
    training_set: Annotated[str, Field(min_length=1)]
    """The name of a set of the store's `datasets/`, or a folder that holds one."""
    model_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")] = "policy"
    """First part of the trained model's id; the second is a hash of its weights."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the set's prompts were made: a chat prompt holds its special tokens already."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether a drawn solution is right."""
    method: PolicyMethod = SftConfig()
    """Imitation, preference or reward, with its recipe."""
