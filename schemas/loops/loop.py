"""The base of the loops' configs, whose class variables say what a loop is."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.dataset_export import ChecksConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.evaluation import EvaluationConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling import SamplingConfig
from schemas.sampling_parameters import PromptedConfig


class LoopConfig(PromptedConfig):
    """Base of the loops' configs: a policy, problems to learn from, problems to measure on.

    The class variables say what a loop is.
    """

    name: ClassVar[str]
    """The name of the loop, of its flow, and of the function and the module in `flows/loops/`."""
    arm_names: ClassVar[tuple[str, ...]]
    """The arms that it can have: policies that are trained beside each other."""
    makes: ClassVar[Literal["policy", "verifier"]] = "policy"
    """The role of the model whose folder the flow returns."""
    next_command: ClassVar[str] = "stepmill run sampling --set policy.model={model} --root {root}"
    """A command to run next with that model, with places for `{model}`, `{root}` and `{run_id}`."""

    policy: VLLMConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The model that the loop starts from."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy is prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    train_problems: ProblemsConfig = WorldProblemsConfig(split="train", num_problems=900, seed=1)
    """Problems whose solutions the policy learns from."""
    train_splits: Annotated[tuple[str, ...], Field(min_length=1)] = ("train",)
    """Splits that these problems may come from, so that no loop trains on what it measures on."""
    eval_problems: ProblemsConfig = WorldProblemsConfig(split="dev", num_problems=200, seed=1)
    """Problems on which every policy is measured, and which decide whether a round improved."""
    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=8, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """Solutions to learn from, per problem and round."""
    eval_sampling: SamplingConfig = SamplingConfig(
        num_samples=16, max_tokens=128, with_logprobs=False, trajectories_per_unit=400
    )
    """Solutions per problem that a policy is measured on."""
    evaluation: EvaluationConfig = EvaluationConfig(budgets=(1, 4, 16), bins=("level",))
    """Budgets and intervals of the curve; a budget is a k of pass@k and of the majority."""
    hard_levels: tuple[int, ...] = (4, 5)
    """Levels whose share of a training set is reported."""
    checks: ChecksConfig = ChecksConfig()
    """What is left out of the training sets."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Different seeds sample different solutions."""

    @model_validator(mode="after")
    def _learns_from_training_problems(self) -> Self:
        if self.train_problems.split not in self.train_splits:
            raise ValueError(
                f"train_problems.split: expected {' or '.join(self.train_splits)}, got "
                f"{self.train_problems.split}: what is measured on must not be trained on "
                "(train_splits says which splits may be used)"
            )
        return self

    @model_validator(mode="after")
    def _starts_from_whole_weights(self) -> Self:
        if self.makes == "policy" and self.policy.lora is not None:
            raise ValueError(
                "policy.lora: expected none, since the loop trains whole weights, got "
                f"{self.policy.lora!r}: merge the adapter into the model first"
            )
        return self

    @model_validator(mode="after")
    def _measures_one_try(self) -> Self:
        if 1 not in self.evaluation.budgets:
            raise ValueError(
                f"evaluation.budgets: expected 1 among them, got {list(self.evaluation.budgets)}"
            )
        return self


class RoundsConfig(LoopConfig):
    """A loop of several rounds."""

    rounds: Annotated[int, Field(ge=1)] = 3
    """Maximum number of rounds (G); each samples new solutions."""
    min_gain: Annotated[float, Field(ge=-1, le=1)] | None = None
    """A round whose pass@1 exceeds the previous round's by no more than this is the last one; None
    runs all rounds."""
