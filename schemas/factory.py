"""Config of the whole line; its defaults are the first run on the built-in world."""

from typing import Annotated, Self

from pydantic import model_validator

from schemas.base import Since
from schemas.dataset_export import ChecksConfig
from schemas.engines import SHIPPED_POLICY, EngineConfig, VLLMConfig
from schemas.evaluation import EvaluationConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.prm_training import VERIFIER_CHECKS, PrmTrainingConfig, PrmTrainingJob
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling import SamplingConfig
from schemas.sampling_parameters import PromptedConfig
from schemas.step_labels import MonteCarloConfig, StepLabelsConfig


class FactoryConfig(PromptedConfig):
    """Sample, label, train a verifier on the labels, and measure it on other problems."""

    policy: EngineConfig = VLLMConfig(model=SHIPPED_POLICY)
    """The model that solves, and that completes rollouts for the labels."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the policy is prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    train_problems: ProblemsConfig = WorldProblemsConfig(split="train", num_problems=2700, seed=7)
    """Problems whose solutions are labelled."""
    eval_problems: ProblemsConfig = WorldProblemsConfig(split="dev", num_problems=200, seed=1)
    """Problems on which everything is measured."""
    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=1, max_tokens=128, with_logprobs=False, trajectories_per_unit=700
    )
    """Solutions to label, per problem."""
    labels: StepLabelsConfig = MonteCarloConfig(
        search="bisection", stopping="first_hit", max_rollout_tokens=128
    )
    """How the steps of these solutions are labelled."""
    prm_training: PrmTrainingConfig = PrmTrainingConfig(
        base_model=SHIPPED_POLICY, hidden_lr=1e-3, max_steps=3000
    )
    """How the verifier is trained on the labels."""
    checks: Annotated[ChecksConfig, Since(4)] = VERIFIER_CHECKS
    """What is left out of the verifier's training set."""
    eval_sampling: SamplingConfig = SamplingConfig(num_samples=64, max_tokens=128)
    """Solutions that the verifier ranks, per problem."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Budgets, rankers, bins and intervals."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Another seed samples other solutions and rollouts."""

    @model_validator(mode="after")
    def _separators_agree(self) -> Self:
        PrmTrainingJob(policy=self.policy, prompt=self.prompt, training=self.prm_training)
        return self

    @model_validator(mode="after")
    def _solutions_are_rollouts(self) -> Self:
        labels, names = self.labels, self.train_sampling.unrecorded
        if isinstance(labels, MonteCarloConfig) and labels.reuse_solutions and names:
            raise ValueError(
                f"labels.reuse_solutions: expected false, since train_sampling has {names[0]}, "
                "so that a solution is not a draw like a rollout"
            )
        return self
