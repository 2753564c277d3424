"""Which model, and how much search: policies of several sizes at equal operations."""

from collections.abc import Mapping
from itertools import combinations, pairwise
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from schemas.base import FrozenConfig
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from schemas.evaluation import EvaluationConfig
from schemas.experiments.experiment import TRAINED, ExperimentConfig, Subject
from schemas.experiments.relation import Constant, Relation, StoredFigure
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.pretraining import SIZES, PretrainingConfig, SizedPolicyConfig
from schemas.problems import ProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import SearchJob, SearchLimits
from schemas.search.strategies import (
    BeamConfig,
    BestOfNConfig,
    DvtsConfig,
    MajorityConfig,
    Strategy,
)
from schemas.step_labels import CheckerConfig, StepLabelsConfig
from schemas.training.prm import PrmTrainingConfig

_SNELL = "Snell, arXiv:2408.03314"
_MONKEYS = "Large Language Monkeys, arXiv:2407.21787"
_COVERAGE_ERROR = 0.05
_ALWAYS_SEARCHED = "best_of_n"
INFERENCE_SHARE = "inference_per_pretraining"
"""The kind of the bins of the exchange: tokens of all queries over those of pretraining."""


class ModelSizesConfig(ExperimentConfig):
    """Policies of several sizes, each with every search and a verifier of its own size.

    Where does a small model with search meet a large one without, at equal operations of the policy
    and the verifier, and at equal operations of pretraining and test time together.
    """

    name: ClassVar[str] = "model_sizes"
    subject: ClassVar[Subject] = "What verification buys"
    details: ClassVar[str] = "model-sizes.md#which-model-how-much-search"
    quick_minutes: ClassVar[float | None] = 4.0
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "sizes": {
            "small": {
                "architecture": {"hidden_size": 32, "num_layers": 1, "num_heads": 1, "mlp_size": 64}
            },
            "medium": {
                "architecture": {
                    "hidden_size": 64,
                    "num_layers": 2,
                    "num_heads": 2,
                    "mlp_size": 128,
                }
            },
            "large": {"model": SHIPPED_POLICY},
        },
        # Small policies of so short a training solve nothing that a verifier could learn from.
        "solver": "large",
        "pretraining": {"num_tokens": 600_000},
        "train_problems": {"num_problems": 150},
        "train_sampling": {"num_samples": 2},
        "eval_problems": {"num_problems": 40},
        "eval_sampling": {"num_samples": 16},
        "verifier_training": {"max_steps": 150},
        "strategies": [{"type": "best_of_n"}, {"type": "dvts"}],
        "budgets": [4, 16],
    }

    sizes: dict[str, SizedPolicyConfig] = {  # noqa: RUF012
        name: SizedPolicyConfig(architecture=architecture) for name, architecture in SIZES.items()
    }
    """The policies, from the smallest to the largest; all with one tokenizer."""
    pretraining: PretrainingConfig = PretrainingConfig(num_tokens=8_000_000, num_eval_problems=0)
    """The recipe of policies that are pretrained; their size replaces its `architecture`."""
    train_problems: ProblemsConfig = WorldProblemsConfig(split="train", num_problems=1500, seed=7)
    """Problems whose solutions verifiers learn from."""
    solver: str | None = None
    """The size that solves them for the verifiers of all sizes; None for each size its own."""
    train_sampling: SamplingConfig = SamplingConfig(
        num_samples=2, max_tokens=128, with_logprobs=False
    )
    """Solutions of them."""
    labels: StepLabelsConfig = CheckerConfig()
    """Labels of their steps; on problems outside the built-in world, rollouts or a judge."""
    verifier_training: PrmTrainingConfig = PrmTrainingConfig(
        base_model=SHIPPED_POLICY, hidden_lr=1e-3, max_steps=1500, num_workers=0
    )
    """How each size's verifier learns; the size's policy replaces its `base_model`."""
    eval_problems: ProblemsConfig = WorldProblemsConfig(split="dev", num_problems=200, seed=1)
    """Problems on which everything is measured."""
    eval_sampling: SamplingConfig = SamplingConfig(
        num_samples=64, max_tokens=128, with_logprobs=False
    )
    """Samples of them, from which single samples and coverage are measured."""
    strategies: Annotated[tuple[Strategy, ...], Field(min_length=1)] = (
        MajorityConfig(),
        BestOfNConfig(),
        BeamConfig(),
        DvtsConfig(),
    )
    """The searches; `best_of_n` is one of them."""
    budgets: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (4, 16, 64)
    """Candidates per problem (N) of each search, increasing."""
    limits: SearchLimits = SearchLimits(max_tokens=128, max_step_tokens=64)
    """How steps are drawn, and how long solutions may be."""
    inference_shares: tuple[Annotated[float, Field(gt=0)], ...] = (0.16, 0.79, 22.0)
    """Tokens of all queries over those of pretraining, at which the two are exchanged; published:
    these."""
    prompt: PromptConfig = PlainPromptConfig()
    """How policies are prompted."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether an answer is right."""
    evaluation: EvaluationConfig = EvaluationConfig(coverage_law=True)
    """Intervals, and figures of single samples."""
    pool: PoolConfig = PoolConfig()
    """The actors."""

    @field_validator("budgets", "inference_shares")
    @classmethod
    def _increase(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if any(low >= high for low, high in pairwise(values)):
            raise ValueError(f"expected increasing values, got {list(values)}")
        return values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if len(self.sizes) < 2:
            raise ValueError(f"sizes: expected at least two, got {', '.join(self.sizes) or 'none'}")
        if _ALWAYS_SEARCHED not in {strategy.label() for strategy in self.strategies}:
            raise ValueError(
                f"strategies: expected {_ALWAYS_SEARCHED} among them, "
                f"got {', '.join(strategy.label() for strategy in self.strategies)}"
            )
        if self.solver is not None and self.solver not in self.sizes:
            raise ValueError(
                f"solver: expected one of {', '.join(self.sizes)}, got {self.solver!r}"
            )
        for strategy in self.strategies:
            for budget in self.budgets:
                strategy.check_budget(budget)
        return self

    def planned(self) -> list[tuple[str, FrozenConfig]]:
        """See ExperimentConfig."""
        found: list[tuple[str, FrozenConfig]] = []
        for name, size in self.sizes.items():
            if size.model is None:
                found.append((f"policy-{name}", self.pretraining))
            policy = VLLMConfig(model=size.model or SHIPPED_POLICY)
            if self.solver_of(name) == name:
                found.append((name, self.train_job(policy)))
            found.append((name, self.eval_job(policy)))
            found.append((name, self.search_job(policy, TRAINED)))
        return found

    def solver_of(self, name: str) -> str:
        """The size whose solutions the verifier of a size learns from."""
        return self.solver or name

    def train_job(self, policy: VLLMConfig) -> SamplingJob:
        """The solutions that a size's verifier learns from."""
        return SamplingJob(
            problems=self.train_problems,
            set_name="train",
            sampling=self.train_sampling,
            **self._common(policy),
        )

    def eval_job(self, policy: VLLMConfig) -> SamplingJob:
        """The samples that single samples and coverage are measured from."""
        return SamplingJob(
            problems=self.eval_problems, sampling=self.eval_sampling, **self._common(policy)
        )

    def search_job(self, policy: VLLMConfig, verifier: VLLMConfig) -> SearchJob:
        """Every search of a size."""
        return SearchJob(
            problems=self.eval_problems,
            verifier=verifier,
            strategies=self.strategies,
            budgets=self.budgets,
            limits=self.limits,
            evaluation=self.evaluation,
            **self._common(policy),
        )

    def _common(self, policy: VLLMConfig) -> dict[str, Any]:
        common = {"prompt": self.prompt, "grader": self.grader, "pool": self.pool}
        return {"policy": policy, **common}

    def relations(self) -> tuple[Relation, ...]:
        """The relations that it measures."""
        names = list(self.sizes)
        labels = [strategy.label() for strategy in self.strategies]
        shown = [_ALWAYS_SEARCHED, *(name for name in labels if name != _ALWAYS_SEARCHED)][-2:]
        pairs = list(combinations(names, 2))
        found = [_meets(*pair, label) for pair in pairs for label in shown]
        found += [_saturates(*pair, _ALWAYS_SEARCHED, self.budgets) for pair in pairs]
        for pair in pairwise(names):
            found += [_few_queries(*pair, share) for share in self.inference_shares[-2:-1]]
            found += [_many_queries(*pair, share) for share in self.inference_shares[-1:]]
        return (*found, *(_covers(name) for name in names))


def _meets(small: str, large: str, strategy: str) -> Relation:
    about = {"strategy": strategy, "budget": 1, "arm": small, "against": large}
    return Relation(
        name="search_beats_size",
        claim="At equal operations at test time a small model with search is better than a large "
        "one without",
        paper=_SNELL,
        published="against a model 14 times as large, on problems of which it solves some",
        larger=StoredFigure(
            metric="accuracy_at_equal_flops", label=f"{small} with {strategy}", **about
        ),
        smaller=StoredFigure(metric="accuracy", strategy="one", arm=large, label=f"one of {large}"),
        difference=StoredFigure(metric="gain_at_equal_flops", label="gain", **about),
        point=f"{small} with {strategy} against {large}",
    )


def _saturates(small: str, large: str, strategy: str, budgets: tuple[int, ...]) -> Relation:
    def gain(budget: int) -> StoredFigure:
        return StoredFigure(
            metric="gain_at_equal_flops",
            strategy=strategy,
            budget=budget,
            arm=small,
            against=large,
            label=f"gain over {large} at its N = {budget}",
        )

    return Relation(
        name="small_ahead_until_saturation",
        claim="With search on both sides the small model's lead at equal operations shrinks as "
        "they grow",
        paper="Inference scaling laws, arXiv:2408.00724",
        published="small models ahead until they saturate",
        larger=gain(1),
        smaller=gain(budgets[0]),
        point=f"{small} against {large}, {strategy}",
    )


def _gain_at_equal_total(small: str, large: str, share: float) -> StoredFigure:
    return StoredFigure(
        metric="gain_at_equal_total",
        strategy=_ALWAYS_SEARCHED,
        arm=small,
        against=large,
        bin=f"{INFERENCE_SHARE}={share:g}",
        label=f"gain of {small} with {_ALWAYS_SEARCHED} at equal operations in all",
    )


def _few_queries(small: str, large: str, share: float) -> Relation:
    return Relation(
        name="search_replaces_pretraining",
        claim="Where queries are few beside pretraining, search on a small model buys more than a "
        "larger model",
        paper=_SNELL,
        published="at R well below 1, on problems that are not the hardest",
        larger=_gain_at_equal_total(small, large, share),
        smaller=Constant(value=0.0, label=f"one sample of {large}"),
        point=f"R = {share:g}, {small} against {large}",
    )


def _many_queries(small: str, large: str, share: float) -> Relation:
    return Relation(
        name="pretraining_replaces_search",
        claim="Where queries are many beside pretraining, a larger model buys more than search",
        paper=_SNELL,
        published="at R well above 1, and on the hardest problems",
        larger=Constant(value=0.0, label=f"one sample of {large}"),
        smaller=_gain_at_equal_total(small, large, share),
        point=f"R = {share:g}, {small} against {large}",
    )


def _covers(name: str) -> Relation:
    return Relation(
        name="coverage_follows_a_law",
        claim="Coverage of k samples is exp(a k^b)",
        paper=_MONKEYS,
        published="a close fit over four orders of magnitude",
        larger=Constant(value=_COVERAGE_ERROR, label="an error of .05"),
        smaller=StoredFigure(
            part=name, metric="coverage_error", label=f"largest error of the law, {name}"
        ),
        point=name,
    )
