"""What the evaluation stage measures on stored rows: budgets, rankers, bins and intervals."""

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.base import FrozenConfig, SetName, Since
from schemas.engines import EngineConfig
from schemas.graders import GraderConfig, MathGraderConfig

Reduction = Literal["min", "prod", "last", "mean"]
"""How the step scores of a solution become one score."""
BinKind = Literal["level", "subject", "oracle_quintile", "model_quintile"]
"""How problems are grouped for figures that are not over all of them."""

Weight = Annotated[float, Field(gt=0)]


class EvaluationConfig(FrozenConfig):
    """Which curves are computed, over which bins of problems, and with which intervals."""

    budgets: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=1)] = (
        1,
        4,
        16,
        64,
    )
    """Candidates per problem (N). One above the number of drawn candidates is left out; that number
    is always one."""
    reductions: Annotated[tuple[Reduction, ...], Field(min_length=1)] = (
        "min",
        "prod",
        "last",
        "mean",
    )
    """Reductions of step scores to compare; gate, filter and likelihood use the first one."""
    mixed_reduction: Annotated[Reduction | None, Since(4)] = None
    """A second reduction for gate, filter and likelihood; None for the one that suits the labels
    that the verifier was trained on (schemas/reductions.py), unless that is the first."""
    likelihood_weights: Annotated[tuple[Weight, ...], Field(min_length=1)] = (0.25, 0.5, 1.0, 2.0)
    """Weights of logit(verifier) relative to the summed log likelihood; one is chosen per fold."""
    filter_threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Minimum reduced score of a candidate that passes the filter vote."""
    gate_share: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Share of the top answer's votes that an answer needs to pass the gate."""
    num_subsets: Annotated[int, Field(ge=1)] = 256
    """Subsets of the candidates per problem and budget, where no closed form exists."""
    num_bootstrap: Annotated[int, Field(ge=1)] = 1000
    """Resamples of the problems from which an interval is computed."""
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    """Coverage of the intervals."""
    baselines: tuple[str, ...] = ("majority", "likelihood[sum]")
    """Strategies over which the paired gain of every other is reported."""
    bins: tuple[BinKind, ...] = ("level", "subject", "oracle_quintile", "model_quintile")
    """Kinds of bins that are reported besides `all`."""
    num_calibration_bins: Annotated[int, Field(ge=1)] = 10
    """Bins of equal width of a reliability table."""
    seed: int = 0
    """Seed of subsets and resamples."""
    coverage_law: Annotated[bool, Since(4)] = False
    """Fit the law of repeated sampling, log pass@k = a k^b, and draw it."""

    @property
    def mixed_reductions(self) -> tuple[Reduction, ...]:
        """The reductions that gate, filter and likelihood use."""
        first = self.reductions[0]
        also = self.mixed_reduction
        return (first,) if also in (None, first) else (first, also)

    @field_validator("budgets")
    @classmethod
    def _check_budgets(cls, budgets: tuple[int, ...]) -> tuple[int, ...]:
        if any(low >= high for low, high in pairwise(budgets)):
            raise ValueError(f"expected strictly increasing budgets, got {budgets}")
        return budgets

    @field_validator("reductions", "likelihood_weights", "bins", "baselines")
    @classmethod
    def _check_distinct(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"expected distinct entries, got {values}")
        return values


class EvaluationJob(FrozenConfig):
    """Which stored solutions are measured, and whose scores rank them."""

    set_name: SetName = "eval"
    """The set of solutions, as named by the sampling stage."""
    policy: EngineConfig | None = None
    """The model that wrote them."""
    policy_name: str | None = None
    """Its name in the rows, for a model that is not available here. Without either, it is the only
    policy that the set has solutions of."""
    verifier: EngineConfig | None = None
    """The model that scored them."""
    verifier_name: str | None = None
    """Its name in the rows. Without either, it is the only verifier that scored the set; if none
    did, only strategies without a verifier are compared."""
    grader: GraderConfig = MathGraderConfig()
    """Decides which answers are the same answer."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Budgets, rankers, bins and intervals."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The set of solutions."""
        return (self.set_name,)

    @model_validator(mode="after")
    def _is_named_once(self) -> Self:
        for role in ("policy", "verifier"):
            if getattr(self, role) is not None and getattr(self, f"{role}_name") is not None:
                raise ValueError(f"expected {role} or {role}_name, got both")
        return self
