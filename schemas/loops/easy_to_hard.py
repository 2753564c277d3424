"""Easy to hard: hard problems are learned from what a verifier of easy ones says."""

from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import Field, model_validator

from schemas.dataset_export.builders import PreferenceConfig, RestConfig
from schemas.dataset_export.score_builders import OutcomesConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.loops.loop import LoopConfig
from schemas.policy_training import DpoConfig, PpoConfig, SftConfig
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.training.prm import PrmTrainingConfig

EasyToHardArm = Literal["ppo", "dpo", "rest", "full"]


class EasyToHardLoopConfig(LoopConfig):
    """Easy-to-hard generalisation with RL (arXiv:2403.09472): answers of hard problems are hidden.

    A verifier is trained on graded solutions of the easy problems alone. `rest` imitates the hard
    problems' solutions that it scores highest, `dpo` learns from pairs of its scores, `ppo` from
    its scores of new solutions; `full` is PPO that knows the hard problems' answers. Each arm
    starts from the first policy and generates the same number of tokens.
    """

    name: ClassVar[str] = "easy_to_hard"
    arm_names: ClassVar[tuple[str, ...]] = get_args(EasyToHardArm)

    arms: Annotated[tuple[EasyToHardArm, ...], Field(min_length=1)] = ("ppo", "dpo", "rest", "full")
    """What learns from the hard problems."""
    easy_problems: ProblemsConfig = WorldProblemsConfig(
        split="train", num_problems=900, seed=1, levels=(1, 2, 3)
    )
    """Problems whose answers are known: the verifier's."""
    train_problems: ProblemsConfig = WorldProblemsConfig(
        split="train", num_problems=900, seed=2, levels=(4, 5)
    )
    """Hard problems, whose answers only `full` knows."""
    verifier_builder: OutcomesConfig = OutcomesConfig()
    """What the verifier learns from."""
    verifier_training: PrmTrainingConfig = PrmTrainingConfig(
        base_model=SHIPPED_POLICY, data="orm", hidden_lr=1e-3, epochs=3
    )
    """How the verifier learns; it starts from the policy, whatever `base_model` says."""
    verifier: VLLMConfig | None = None
    """A verifier that was trained before, on easy problems; None trains one."""
    ppo: PpoConfig = PpoConfig(
        max_new_tokens=128, max_generated_tokens=240_000, decay_fraction=0, max_steps=4000
    )
    """How `ppo` and `full` learn; `full` with the reward of this config, `ppo` with the verifier's.
    `max_generated_tokens` is replaced by the tokens of the solutions that `dpo` and `rest` learn
    from."""
    pairs: PreferenceConfig = PreferenceConfig(by="margin", reduction="last", min_margin=0.3)
    """The pairs that `dpo` learns from."""
    dpo: DpoConfig = DpoConfig(epochs=2, hidden_lr=2e-3, sft_weight=1.0)
    """How `dpo` learns from them."""
    kept: RestConfig = RestConfig(by="percentile", reduction="last", thresholds=(0.5,))
    """The solutions that `rest` imitates."""
    sft: SftConfig = SftConfig()
    """How `rest` learns from them."""

    @model_validator(mode="after")
    def _hides_the_answers(self) -> Self:
        if len(set(self.arms)) < len(self.arms):
            raise ValueError(f"arms: expected distinct ones, got {', '.join(self.arms)}")
        if self.pairs.by != "margin":
            raise ValueError(
                f"pairs.by: expected margin, as answers are hidden, got {self.pairs.by}"
            )
        if self.kept.reads != "scores" or self.kept.right_only:
            raise ValueError(
                "kept: expected by score or percentile and not right_only, as answers are hidden, "
                f"got by {self.kept.by}, right_only {self.kept.right_only}"
            )
        if self.ppo.reward.of_critiques or self.ppo.reward.verifiers:
            raise ValueError(
                "ppo.reward.type: expected a reward by answers, which is that of `full`, got "
                f"{self.ppo.reward.type}"
            )
        return self
