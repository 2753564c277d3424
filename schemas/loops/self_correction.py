"""Self-correction: a policy learns to judge and mend its own solutions within one text."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.critiques import CriticConfig, CritiquingConfig, ModelCriticConfig, RefiningConfig
from schemas.dataset_export.talk_builders import SelfTalkConfig
from schemas.loops.loop import LoopConfig
from schemas.policy_training import SftConfig
from schemas.sampling import SamplingConfig
from schemas.self_talk import VoiceConfig, WorldVoiceConfig

SelfCorrectionArm = Literal["self_talk", "correction", "plain", "two_players"]


class SelfCorrectionConfig(LoopConfig):
    """Self-talk against correction of whole solutions and against two players (arXiv:2411.16579).

    One round. The solutions of a policy become self-talk with the help of a critic; `self_talk`
    learns it, `correction` learns whole wrong attempts, a bare verdict and the right one, from the
    same solutions, and `plain` as many right solutions. `two_players` is the first policy, whose
    every held-out solution a critic reads before it tries again; it is charged for all three texts.
    """

    name: ClassVar[str] = "self_correction"
    arm_names: ClassVar[tuple[str, ...]] = get_args(SelfCorrectionArm)

    arms: Annotated[tuple[SelfCorrectionArm, ...], Field(min_length=1)] = (
        "self_talk",
        "correction",
        "plain",
        "two_players",
    )
    """What is compared; the first trained one's policy is returned."""
    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=4, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """Solutions to make talks from, per problem."""
    eval_sampling: SamplingConfig = SamplingConfig(
        num_samples=16, max_tokens=256, with_logprobs=False, trajectories_per_unit=400
    )
    """Solutions per problem that a policy is measured on; self-talk is longer than solutions."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How critic and actor are asked, and how a critique is read."""
    critic: CriticConfig = ModelCriticConfig(told="solution")
    """What judges the solutions that become talks."""
    critiquing: CritiquingConfig = CritiquingConfig(max_tokens=128)
    """How critiques are drawn."""
    refining: RefiningConfig = RefiningConfig(max_tokens=128)
    """How the actor goes on from before a wrong step, and tries again at test time."""
    max_rounds: Annotated[int, Field(ge=1)] = 3
    """Maximum number of times that the actor goes on in a talk."""
    voice: VoiceConfig | None = WorldVoiceConfig()
    """What rewrites the chains; None to learn the chains themselves."""
    builder: SelfTalkConfig = SelfTalkConfig()
    """Which talks are learned; `written` is decided by the arm."""
    training: SftConfig = SftConfig(epochs=3)
    """How the policy learns, in every arm."""
    player: CriticConfig = ModelCriticConfig()
    """The critic of `two_players`, which is told nothing: as default the policy itself."""

    @model_validator(mode="after")
    def _arms_are_comparable(self) -> Self:
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"arms: expected distinct ones, got {', '.join(self.arms)}")
        if self.arms == ("two_players",):
            raise ValueError("arms: expected one that is trained, got two_players alone")
        return self

    @model_validator(mode="after")
    def _players_are_told_nothing(self) -> Self:
        told = getattr(self.player, "told", "nothing")
        if told != "nothing":
            raise ValueError(f"player.told: expected nothing, as at test time, got {told}")
        return self
