"""Whether rewards of tokens teach faster than one reward at the end, to the same optimum (ABC)."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.base import FrozenConfig
from schemas.dataset_export.state_builders import WholeProblemsConfig
from schemas.engines import VLLMConfig
from schemas.experiments.experiment import QUICK_LINE, TRAINED, ExperimentConfig, Subject
from schemas.experiments.relation import Relation, StoredFigure
from schemas.factory import FactoryConfig
from schemas.policy_training import PolicyTrainingJob
from schemas.training.ppo import PpoConfig
from schemas.training.rewards import AttentionRewardConfig, RewardModelConfig

Credit = Literal["attention", "policy_attention", "uniform", "sparse"]

_PAPER = "ABC, arXiv:2402.00782"
_WORDS: Mapping[str, str] = {
    "attention": "credit by the reward model's attention (ABC)",
    "policy_attention": "credit by the policy's own attention (ABC-D)",
    "uniform": "the same for each token",
    "sparse": "everything at the last token",
}


class DenseRewardsConfig(ExperimentConfig):
    """PPO on one reward, divided among the tokens in several ways, at equal generated tokens."""

    name: ClassVar[str] = "dense_rewards"
    subject: ClassVar[Subject] = "What verification buys"
    details: ClassVar[str] = "dense-rewards.md"
    quick_minutes: ClassVar[float | None] = 5.0
    other_parts: ClassVar[tuple[str, ...]] = ("line",)
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "line": QUICK_LINE,
        "credits": ("attention", "sparse"),
        "num_seeds": 2,
        "training": {"max_generated_tokens": 30_000, "warmup_steps": 4},
    }

    line: FactoryConfig = FactoryConfig()
    """The line, whose solutions give the problems to train on, and which trains the reward model;
    not run if `verifier` names another one and `states` a set."""
    verifier: VLLMConfig = TRAINED
    """The reward model; its vLLM settings do not matter."""
    states: Annotated[str, Field(min_length=1)] | None = None
    """A set of start states in the store; None for one built from the line's solutions."""
    builder: WholeProblemsConfig = WholeProblemsConfig()
    """How start states are made of the line's problems."""
    training: PpoConfig = PpoConfig(
        max_new_tokens=128,
        epochs=100,
        max_generated_tokens=60_000,
        gae_lambda=0.95,
        warmup_steps=8,
        decay_fraction=0.0,
    )
    """How each policy is trained; its reward and seed are replaced."""
    reward: AttentionRewardConfig = AttentionRewardConfig(
        verifier=RewardModelConfig(model=TRAINED.model), scale=0.1
    )
    """The reward whose `credit` is compared; its verifier is replaced."""
    credits: Annotated[tuple[Credit, ...], Field(min_length=1)] = (
        "attention",
        "policy_attention",
        "uniform",
        "sparse",
    )
    """Who divides the reward."""
    num_seeds: Annotated[int, Field(ge=1)] = 3
    """Trainings with each credit, whose differences are paired by seed."""
    target: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """A share of right solutions; how many tokens it took is measured."""

    @model_validator(mode="after")
    def _has_a_budget(self) -> Self:
        if self.training.max_generated_tokens is None:
            raise ValueError(
                "training.max_generated_tokens: expected a number, since the trainings are "
                "compared at equal tokens, got None"
            )
        return self

    @property
    def budget(self) -> int:
        """Generated tokens of each training that are compared."""
        assert self.training.max_generated_tokens is not None
        return self.training.max_generated_tokens

    @property
    def needs_line(self) -> bool:
        """Whether reward model or start states come from the line."""
        return self.verifier == TRAINED or self.states is None

    def training_job(
        self, credit: Credit, seed: int, verifier: VLLMConfig, states: str
    ) -> PolicyTrainingJob:
        """The training with a credit and a seed, by a reward model and from a set of states."""
        model = {"model": verifier.model, "revision": verifier.revision}
        reward = self.reward.with_fields(
            credit=credit, verifier=self.reward.verifier.with_fields(**model)
        )
        return PolicyTrainingJob.model_validate(
            {
                "policy": self.line.policy,
                "training_set": states,
                "method": self.training.with_fields(seed=self.seed + seed, reward=reward),
                "prompt": self.line.prompt,
                "grader": self.line.grader,
            }
        )

    def trainings(self) -> list[tuple[str, Credit, int]]:
        """The part, the credit and the seed of each training, in order."""
        return [
            (f"{credit.replace('_', '-')}-{seed}", credit, seed)
            for seed in range(self.num_seeds)
            for credit in self.credits
        ]

    def part_names(self) -> list[str]:
        """See ExperimentConfig."""
        return [*super().part_names(), *(part for part, _, _ in self.trainings())]

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """See ExperimentConfig."""
        states = self.states or "trained-by-an-earlier-part"
        line: list[tuple[str, FrozenConfig]] = [("line", self.line)] if self.needs_line else []
        return line + [
            (part, self.training_job(credit, seed, self.verifier, states))
            for part, credit, seed in self.trainings()
        ]

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        pairs = [
            ("abc_faster", "attention", "sparse"),
            ("abc_faster", "attention", "uniform"),
            ("abc_d_faster", "policy_attention", "sparse"),
            ("uniform_faster", "uniform", "sparse"),
        ]
        claims = {
            "abc_faster": "credit by the reward model's attention learns faster",
            "abc_d_faster": "credit by the policy's own attention learns faster",
            "uniform_faster": "equal credit for each token learns faster",
        }
        found: list[Relation] = []
        for name, credit, other in pairs:
            if not {credit, other} <= set(self.credits):
                continue
            relation = partial(
                Relation, claim=claims[name], paper=_PAPER, published="a figure without numbers"
            )
            found.append(
                relation(
                    name=name,
                    point=f"than {other}, share of right solutions",
                    larger=_figure("mean_right", credit),
                    smaller=_figure("mean_right", other),
                )
            )
            if name == "abc_faster":
                found.append(
                    relation(
                        name=name,
                        point=f"than {other}, tokens to {self.target:g}",
                        larger=_figure("tokens_to_target", other),
                        smaller=_figure("tokens_to_target", credit),
                    )
                )
        if {"attention", "sparse"} <= set(self.credits):
            found.append(
                Relation(
                    name="same_optimum",
                    claim="credit by attention ends no lower than the reward at the end",
                    paper=_PAPER,
                    published="the same optimal policies",
                    point="share of right solutions in the last fifth of the tokens",
                    larger=_figure("final_right", "attention"),
                    smaller=_figure("final_right", "sparse"),
                    margin=-0.05,
                )
            )
        return tuple(found)


def _figure(metric: str, credit: str) -> StoredFigure:
    """A figure by seed."""
    return StoredFigure(label=_WORDS[credit], metric=metric, strategy=credit, per="arm")
