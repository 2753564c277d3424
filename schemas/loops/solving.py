"""Loops in which a policy learns from its own solutions, right and wrong."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.base import Was
from schemas.dataset_export.builders import (
    PreferenceConfig,
    RestConfig,
    RestEmConfig,
    ReverseCurriculumConfig,
    VStarConfig,
)
from schemas.engines import VLLMConfig
from schemas.evaluation import EvaluationConfig
from schemas.loops.loop import LoopConfig, RoundsConfig
from schemas.policy_training import DpoConfig, DrawingMethod, GrpoConfig, SftConfig
from schemas.sampling import SamplingConfig


class RestLoopConfig(RoundsConfig):
    """ReST (arXiv:2308.08998): each round samples and trains the last policy on the best solutions.

    The control `unfiltered` trains once per round, on its own solutions, right or wrong; it gets as
    many rows as the largest set of the round.
    """

    name: ClassVar[str] = "rest"
    arm_names: ClassVar[tuple[str, ...]] = ("rest", "unfiltered")

    builder: RestConfig = RestConfig()
    """Which solutions of a round are kept; each improve step uses the next threshold."""
    improve_steps: Annotated[int, Field(ge=1), Was("improves")] = 1
    """Improve steps per round (I); each has a higher threshold and starts from the previous step's
    policy."""
    rate_decay: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Factor of the learning rates from one improve step to the next."""
    verifier: VLLMConfig | None = None
    """The model whose scores are compared with the thresholds; None if grades decide."""
    training: SftConfig = SftConfig()
    """How the policy is trained on the kept solutions."""
    with_control: bool = True
    """Whether the control is run as well."""

    @model_validator(mode="after")
    def _has_what_it_filters_by(self) -> Self:
        by_score = self.builder.reads == "scores"
        if by_score != (self.verifier is not None):
            raise ValueError(
                "verifier: expected one where builder.by is score or percentile and nowhere else, "
                f"got {self.verifier and self.verifier.model} with {self.builder.by}"
            )
        if self.improve_steps > 1 and not by_score:
            raise ValueError(
                f"improve_steps: expected 1 where builder.by is {self.builder.by}, which has no "
                f"thresholds, got {self.improve_steps}"
            )
        if self.builder.improve_step or self.improve_steps > len(self.builder.thresholds):
            raise ValueError(
                f"improve_steps: expected at most the {len(self.builder.thresholds)} thresholds, "
                f"taken from the first, got {self.improve_steps} from {self.builder.improve_step}"
            )
        return self


class RestEmLoopConfig(RoundsConfig):
    """ReST-EM (arXiv:2312.06585): every round trains the first policy on the newest solutions.

    The control `unfiltered` trains on the same number of its own solutions, right or wrong.
    """

    name: ClassVar[str] = "rest_em"
    arm_names: ClassVar[tuple[str, ...]] = ("rest_em", "unfiltered")

    builder: RestEmConfig = RestEmConfig()
    """Which solutions of a round are kept."""
    training: SftConfig = SftConfig()
    """How the first policy is trained on the kept solutions."""
    with_control: bool = True
    """Whether the control is run as well."""


class DpoRoundsConfig(RoundsConfig):
    """Rounds of DPO on the policy's own right and wrong solutions, from the last policy.

    The control `sft` trains its last policy to imitate right solutions among its own samples.
    """

    name: ClassVar[str] = "dpo_rounds"
    arm_names: ClassVar[tuple[str, ...]] = ("dpo", "sft")

    builder: PreferenceConfig = PreferenceConfig()
    """How pairs are made from a round's solutions; only by grade."""
    training: DpoConfig = DpoConfig(epochs=2, hidden_lr=2e-3, sft_weight=1.0)
    """How the policy learns from the pairs. At rates that move the policy, right solutions become
    unlikely along with wrong ones unless the loss includes imitation (`sft_weight`, as in
    iterative RPO, arXiv:2404.19733)."""
    control_builder: RestConfig = RestConfig()
    """Which solutions the control keeps."""
    control_training: SftConfig = SftConfig()
    """How the control learns."""
    with_control: bool = True
    """Whether the control is run as well."""

    @model_validator(mode="after")
    def _pairs_by_grade(self) -> Self:
        for name, builder in (("builder", self.builder), ("control_builder", self.control_builder)):
            if builder.by != "grade":
                raise ValueError(
                    f"{name}.by: expected grade, as no verifier scores the solutions, "
                    f"got {builder.by}"
                )
        return self


class VStarLoopConfig(RoundsConfig):
    """V-StaR (arXiv:2402.06457): right solutions train the policy, right and wrong ones a verifier.

    Every round trains the first policy on the right solutions of all rounds. At the end, DPO on the
    pairs of all rounds turns the last policy into a verifier, whose likelihood ranks the last
    policy's solutions.
    """

    name: ClassVar[str] = "v_star"
    arm_names: ClassVar[tuple[str, ...]] = ("v_star",)
    makes: ClassVar[Literal["policy", "verifier"]] = "verifier"
    next_command: ClassVar[str] = "stepmill report {run_id} --root {root}"

    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=16, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """Solutions to learn from, per problem and round."""
    eval_sampling: SamplingConfig = SamplingConfig(
        num_samples=64, max_tokens=128, trajectories_per_unit=1600
    )
    """Solutions per problem that a policy is measured on, and that the verifier ranks."""
    evaluation: EvaluationConfig = EvaluationConfig(budgets=(1, 4, 16, 64), bins=("level",))
    """Budgets and intervals of the curve; a budget is a k of pass@k and of the majority."""
    builder: RestEmConfig = RestEmConfig()
    """Which solutions the policy imitates."""
    training: SftConfig = SftConfig()
    """How the policy imitates them."""
    pairs: VStarConfig = VStarConfig()
    """The pairs that the verifier learns from."""
    verifier_training: DpoConfig = DpoConfig()
    """How the verifier learns from the pairs."""


CurriculumArm = Literal["mixed", "staged", "plain"]


class ReverseCurriculumLoopConfig(LoopConfig):
    """Reverse curriculum (R3, arXiv:2402.05808): rewards from start states, the end backwards.

    The states are cut from right solutions that the policy itself has sampled. `mixed` trains on
    the states of all stages at once, `staged` on one stage after another, the easiest first, and
    `plain` only on whole problems. Each arm generates the same number of tokens.
    """

    name: ClassVar[str] = "reverse_curriculum"
    arm_names: ClassVar[tuple[str, ...]] = get_args(CurriculumArm)

    arms: Annotated[tuple[CurriculumArm, ...], Field(min_length=1)] = ("mixed", "staged", "plain")
    """Orders of the states; each is an arm of its own."""
    builder: ReverseCurriculumConfig = ReverseCurriculumConfig()
    """How the states are cut; stages and shares."""
    training: DrawingMethod = GrpoConfig(
        max_new_tokens=128, max_generated_tokens=240_000, decay_fraction=0, max_steps=2000
    )
    """How the policy learns: `ppo` as published, `grpo` or `rloo`. `max_generated_tokens` is the
    limit of a whole arm. Another type than this default's has its own defaults in all fields."""

    @model_validator(mode="after")
    def _arms_are_comparable(self) -> Self:
        if self.builder.mode != "mixed":
            raise ValueError(f"builder.mode: expected mixed, got {self.builder.mode}: see `arms`")
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"arms: expected distinct ones, got {', '.join(self.arms)}")
        if self.training.max_generated_tokens is None and len(self.arms) > 1:
            raise ValueError(
                "training.max_generated_tokens: expected a number, so that all arms have the same"
            )
        return self
