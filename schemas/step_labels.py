"""How steps are labelled: by rollouts, by the final answer only, or by an exact checker."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from schemas.base import FrozenConfig, SetName
from schemas.engines import EngineConfig
from schemas.graders import GraderConfig, MathGraderConfig
from schemas.pool import PoolConfig
from schemas.prompts import PlainPromptConfig, PromptConfig
from schemas.sampling_parameters import PromptedConfig, SamplingParameters

ROLLOUT_STRATEGY = "rollout"
"""The `strategy` of a rollout."""


class MonteCarloConfig(SamplingParameters):
    """Label a step by how often the policy still solves the problem from it (arXiv:2312.08935)."""

    identity_order: ClassVar[tuple[str, ...]] = (
        "type",
        "num_rollouts",
        "min_correct",
        "temperature",
        "top_p",
    )

    type: Literal["monte_carlo"] = "monte_carlo"
    num_rollouts: Annotated[int, Field(ge=1)] = 8
    """Rollouts per prefix (N in Math-Shepherd); with `stopping`, the maximum."""
    min_correct: Annotated[int, Field(ge=1)] = 1
    """Right rollouts that make the hard label right; 1 is Math-Shepherd's hard estimate."""
    temperature: Annotated[float, Field(gt=0)] = 1.0
    """Temperature of the rollouts; 0 would draw the same rollout every time."""
    max_rollout_tokens: Annotated[int, Field(ge=1)] = 2048
    """Cut-off in tokens; a rollout cut here gets status `truncated`, not a verdict."""
    stopping: Literal["none", "first_hit", "confidence"] = "none"
    """When a prefix needs no more rollouts. `first_hit`: once its hard label cannot change any
    more. `confidence`: also once the chance that it changes is at most 1 - `confidence`. Stopping
    early biases the soft estimate of a prefix towards its hard label."""
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.97
    """Chance that an early label is the one that all rollouts would give, for `confidence`
    stopping."""
    p_fatal: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Share of prefixes assumed beyond repair before the first rollout, for `confidence`
    stopping; the solve rate of the others is assumed uniform."""
    wave_size: Annotated[int, Field(ge=1)] = 1
    """Concurrent rollouts of one prefix under `stopping`; more of them fill an idle engine."""
    reuse_solutions: bool = False
    """Count a solution as a rollout of each of its own prefixes. This is done only if the completer
    sampled it at this temperature and top-p. Leave it off for solutions that were picked by their
    outcome or score, which are a biased sample."""
    search: Literal["linear", "bisection"] = "linear"
    """Which prefixes get rollouts: all, or those that a bisection for the first error visits
    (arXiv:2406.06592), which assumes that no step repairs an earlier error."""
    audit_fraction: Annotated[float, Field(ge=0, le=1)] = 0.03
    """Share of the trajectories that are also labelled in full, to measure the errors that the
    assumption of `bisection` or of `confidence` stopping causes."""

    @model_validator(mode="after")
    def _can_be_right(self) -> "MonteCarloConfig":
        if self.min_correct > self.num_rollouts:
            raise ValueError(
                f"min_correct must be at most num_rollouts ({self.num_rollouts}), "
                f"got {self.min_correct}: no step could ever be right"
            )
        if self.reuse_solutions and self.unrecorded:
            raise ValueError(
                f"reuse_solutions: expected false beside {self.unrecorded[0]}, since rows do not "
                "say whether a solution was sampled with it"
            )
        return self

    @property
    def needs_audit(self) -> bool:
        """Whether labels depend on an assumption; stopping at the first hit does not."""
        return self.search == "bisection" or self.stopping == "confidence"

    @property
    def method(self) -> str:
        """The value of the `method` column: `monte_carlo[n=8]`, `monte_carlo[n=8,bisection]`."""
        parts = [f"n={self.num_rollouts}"]
        if self.min_correct != 1:
            parts.append(f"min={self.min_correct}")
        if self.stopping == "first_hit":
            parts.append("first_hit")
        if self.stopping == "confidence":
            parts.append(f"confidence={self.confidence:g}")
        if self.reuse_solutions:
            parts.append("reuse")
        if self.search == "bisection":
            parts.append("bisection")
        return f"monte_carlo[{','.join(parts)}]"

    def without_shortcuts(self) -> "MonteCarloConfig":
        """The config of the plain labels that this config approximates."""
        return self.with_fields(stopping="none", search="linear")


class OutcomeConfig(FrozenConfig):
    """Label only the last step, by the final answer: what an ORM learns from."""

    type: Literal["outcome"] = "outcome"

    @property
    def method(self) -> str:
        """The value of the `method` column."""
        return "outcome"


class CheckerConfig(FrozenConfig):
    """Label every step by the exact checker of the built-in world."""

    type: Literal["checker"] = "checker"

    @property
    def method(self) -> str:
        """The value of the `method` column."""
        return "checker"


StepLabelsConfig = Annotated[
    MonteCarloConfig | OutcomeConfig | CheckerConfig, Field(discriminator="type")
]


class StepLabelsJob(PromptedConfig):
    """Which stored solutions get step labels, and how."""

    set_name: SetName = "train"
    """The set of solutions, as named by the sampling stage."""
    policy: EngineConfig
    """The completer: the model that continues solutions from their prefixes."""
    prompt: PromptConfig = PlainPromptConfig()
    """How the solutions' policy was prompted, and what ends a step."""
    grader: GraderConfig = MathGraderConfig()
    """What decides whether a rollout's answer is right."""
    labels: StepLabelsConfig = MonteCarloConfig()
    """How steps are labelled."""
    trajectories_per_unit: Annotated[int, Field(ge=1)] = 200
    """Solutions per unit."""
    pool: PoolConfig = PoolConfig()
    """The actors."""
    seed: int = 0
    """Combined with problem, prefix and index into the seed of each rollout."""
