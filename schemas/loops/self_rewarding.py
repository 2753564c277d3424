"""Self-rewarding: the policy judges its own solutions, and learns from its own judgements."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.critiques import CheckerCriticConfig, CriticConfig, CritiquingConfig
from schemas.dataset_export.builders import PreferenceConfig
from schemas.dataset_export.judge_builders import JudgeBuilderConfig, SelfRewardingConfig
from schemas.loops.loop import RoundsConfig
from schemas.policy_training import DpoConfig, SftConfig
from schemas.sampling import SamplingConfig


class SelfRewardingLoopConfig(RoundsConfig):
    """A policy learns from pairs of its solutions by its own judgement (arXiv:2401.10020).

    Round 1 trains it to judge and to solve: on an annotator's critiques of its solutions, and on
    the right ones. Every later round samples solutions, judges each several times, and trains by
    DPO on the best and the worst judged solution of each problem. The control `graded` shares the
    first round, and then learns from pairs by grade.
    """

    name: ClassVar[str] = "self_rewarding"
    arm_names: ClassVar[tuple[str, ...]] = ("self_rewarding", "graded")

    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=4, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """Solutions per training problem and round that are judged."""
    annotator: CriticConfig = CheckerCriticConfig()
    """What writes the critiques of the first policy's solutions that it learns to judge from."""
    judge_set: str | None = None
    """A built set of another run that the first round trains on instead: rows of judgements, and of
    solutions. Its name or folder."""
    judge_builder: JudgeBuilderConfig = JudgeBuilderConfig()
    """What the first round's set has without `judge_set`."""
    judge_training: SftConfig = SftConfig(epochs=3)
    """How the first round trains."""
    format: CritiqueFormatConfig = LinesCritiqueConfig()
    """How the judge is asked, and how a judgement is read."""
    judging: CritiquingConfig = CritiquingConfig(num_critiques=3, temperature=0.7, max_tokens=128)
    """How judgements are drawn; their scores are averaged."""
    builder: SelfRewardingConfig = SelfRewardingConfig()
    """Which pairs a judge's scores make."""
    rejected_from: Literal["same", "first"] = "same"
    """Whose solutions are the rejected ones: those of the policy that wrote the chosen ones, or
    those of the first policy, so that both do not become alike."""
    training: DpoConfig = DpoConfig(epochs=2, hidden_lr=2e-3, sft_weight=1.0)
    """How later rounds train."""
    tested_per_problem: Annotated[int, Field(ge=1)] = 4
    """Held-out solutions per problem, of the first policy, that every judge is measured on."""
    max_auc_drop: Annotated[float, Field(ge=0, le=1)] | None = 0.02
    """How far a judge's AUC may fall below that of the best judge before it; the round in which it
    falls further is the last one. None never stops."""
    control_builder: PreferenceConfig = PreferenceConfig(per_problem=1)
    """Which pairs the control learns from."""
    with_control: bool = True
    """Whether the control is run as well."""

    @model_validator(mode="after")
    def _grades_decide_only_in_the_control(self) -> Self:
        if self.control_builder.by != "grade":
            raise ValueError(
                "control_builder.by: expected grade, as no verifier scores the solutions, got "
                f"{self.control_builder.by}"
            )
        if self.train_sampling.num_samples < 2 and self.rejected_from == "same":
            raise ValueError(
                "train_sampling.num_samples: expected at least 2, so that a problem has a best and "
                f"a worst solution, got {self.train_sampling.num_samples}"
            )
        return self
