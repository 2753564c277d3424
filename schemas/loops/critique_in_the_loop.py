"""Critique in the loop: a critic helps the policy to solve what it does not solve alone."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.critiques import CheckerCriticConfig, CriticConfig, CritiquingConfig, RefiningConfig
from schemas.dataset_export.builders import RestEmConfig
from schemas.dataset_export.critique_builders import (
    CritiqueBuilderConfig,
    RefinementBuilderConfig,
)
from schemas.engines import VLLMConfig
from schemas.loops.loop import RoundsConfig
from schemas.policy_training import SftConfig

CritiqueArm = Literal["critique", "vanilla", "control"]


class CriticTrainingConfig(FrozenConfig):
    """Round 0: a critic learns to write what an annotator writes about the policy's solutions."""

    annotator: CriticConfig = CheckerCriticConfig()
    """What writes the critiques to learn from."""
    per_problem: Annotated[int, Field(ge=1)] = 4
    """Solutions per training problem that it reads, at most."""
    builder: CritiqueBuilderConfig = CritiqueBuilderConfig()
    """Which of its critiques the critic learns from."""
    training: SftConfig = SftConfig(epochs=3)
    """How the first policy is made into the critic."""


class CritiqueInTheLoopConfig(RoundsConfig):
    """Wrong solutions are critiqued and tried again; right second attempts join (arXiv:2411.16579).

    Every arm trains the first policy in every round. `critique` learns from its right solutions and
    from right second attempts, so that problems which the policy seldom solves get the most tries.
    `vanilla` learns from its right solutions alone. `control` is `vanilla` with more samples: as
    many as it takes for as many rows as `critique` has.
    """

    name: ClassVar[str] = "critique_in_the_loop"
    arm_names: ClassVar[tuple[str, ...]] = get_args(CritiqueArm)

    arms: Annotated[tuple[CritiqueArm, ...], Field(min_length=1)] = (
        "critique",
        "vanilla",
        "control",
    )
    """What is compared; `control` needs `critique`, whose rows it counts."""
    critic: VLLMConfig | None = None
    """The critic of all rounds; None for the policy of each round itself."""
    critic_training: CriticTrainingConfig | None = None
    """How a critic is trained before the first round; None without."""
    with_annotated: bool = False
    """Whether the sets of `critique` also have the right solutions of round 0, and the right second
    attempts with the annotator's critiques; only with `critic_training`."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How critic and actor are asked, and how a critique is read."""
    critiquing: CritiquingConfig = CritiquingConfig(max_tokens=128)
    """How the critique of a wrong solution is drawn."""
    refining: RefiningConfig = RefiningConfig(num_refinements=4, max_tokens=128)
    """How often and how the policy tries again with each critique."""
    builder: RefinementBuilderConfig = RefinementBuilderConfig(with_samples=True)
    """What `critique` learns from; `with_critique` adds rows with wrong attempt and critique."""
    plain: RestEmConfig = RestEmConfig(per_problem=4)
    """What the other arms learn from, and `critique` where no second attempt is right."""
    training: SftConfig = SftConfig()
    """How the first policy is trained."""
    keep_rounds: bool = False
    """Whether a set also has the rows of earlier rounds."""
    max_control_passes: Annotated[int, Field(ge=1)] = 4
    """How often the control samples all training problems in a round, at most."""
    tested_per_problem: Annotated[int, Field(ge=0)] = 4
    """Held-out solutions per problem that the critic reads at test time, of the first policy and of
    each arm's last; 0 leaves this out."""

    @model_validator(mode="after")
    def _arms_are_comparable(self) -> Self:
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"arms: expected distinct ones, got {', '.join(self.arms)}")
        if "control" in self.arms and "critique" not in self.arms:
            raise ValueError(
                "arms: expected critique beside control, which gets as many rows, got "
                f"{', '.join(self.arms)}"
            )
        return self

    @model_validator(mode="after")
    def _has_one_critic(self) -> Self:
        if self.critic is not None and self.critic_training is not None:
            raise ValueError(
                f"critic: expected none where critic_training makes one, got {self.critic.model!r}"
            )
        if self.with_annotated and self.critic_training is None:
            raise ValueError("with_annotated: expected critic_training beside it, got none")
        return self

    @model_validator(mode="after")
    def _tries_again(self) -> Self:
        if "critique" in self.arms and not self.refining.num_refinements:
            raise ValueError("refining.num_refinements: expected at least 1, got 0")
        return self
