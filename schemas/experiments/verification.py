"""What a verifier buys over imitation, on the planted subsequence (arXiv:2502.12118, section 7)."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator

from schemas.engines import NUM_PLANTED_GOLD
from schemas.experiments.experiment import ExperimentConfig, Subject
from schemas.experiments.planted import (
    BaseTrainingConfig,
    Gamma,
    Hold,
    HoldConfig,
    Horizon,
    ImitationConfig,
    NumTraces,
    ReinforceConfig,
    VerifierTrainingConfig,
    check_horizon,
)
from schemas.experiments.relation import Constant, Relation, StoredFigure
from schemas.pool import PoolConfig

_PAPER = "Scaling test-time compute without verification or RL is suboptimal, arXiv:2502.12118"

_NOT_WORSE = 0.05
"""Share of the largest reward that a figure may lie below another that it is said to equal."""


class VerificationExperimentConfig(ExperimentConfig):
    """Verifier-based against verifier-free training of small models on the planted subsequence."""

    name: ClassVar[str] = "verification"
    subject: ClassVar[Subject] = "What verification buys"
    details: ClassVar[str] = "verification.md"
    quick_minutes: ClassVar[float | None] = 2.5
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "holds": ({"hold": "gamma", "spreads": (0.4,)},),
        "binary_holds": (),
        "horizon": 8,
        "horizons": (6, 8, 12),
        "horizon_spreads": (0.4,),
        "horizon_num": 512,
        "nums": (128, 512),
        "num_seeds": 2,
        "num_questions": 256,
        "base": {"num_steps": 500},
        "imitation": {"rates": (0.002,), "max_epochs": 4},
        "verifier": {"max_epochs": 6},
        "reinforce": {"num_steps": 60},
    }

    reference: Gamma = 0.5
    """The single skill, which every mixture has something in common with."""
    horizon: Horizon = 12
    """Symbols of a trace (H) where heterogeneity and data are varied."""
    holds: Annotated[tuple[HoldConfig, ...], Field(min_length=1)] = (
        HoldConfig(hold="gamma", spreads=(0.1, 0.25, 0.4)),
        HoldConfig(hold="success", spreads=(0.1, 0.25, 0.4)),
        HoldConfig(hold="reward", spreads=(0.1, 0.25, 0.4)),
        HoldConfig(hold="expert", spreads=(0.1, 0.25)),
    )
    """The mixtures: what is held equal, and the spreads."""
    binary_holds: tuple[Hold, ...] = ("gamma",)
    """Holds whose mixtures, and the single skill, are also studied under the reward of 0 or 1."""
    nums: Annotated[tuple[NumTraces, ...], Field(min_length=1)] = (256, 1024, 4096)
    """Right traces of the verifier-free arm, labelled ones of the verifier-based one (n)."""
    horizons: tuple[Horizon, ...] = (8, 12, 16, 20)
    """Horizons at which the gap is fitted; none for no fit, else three or more."""
    horizon_spreads: tuple[Annotated[float, Field(ge=0)], ...] = (0.0, 0.25)
    """Spreads, at equal mean skill, whose gap is fitted against the horizon; 0 is the single
    skill."""
    horizon_num: NumTraces = 1024
    """Traces (n) where the horizon is varied."""
    num_drawn: Annotated[int, Field(ge=2)] | None = None
    """Traces that each base draws for training; None for as many as the largest n needs."""
    num_seeds: Annotated[int, Field(ge=1)] = 3
    """Repetitions: other weights, traces and questions."""
    num_questions: Annotated[int, Field(ge=2)] = 512
    """Questions that every policy is measured on."""
    traces_per_question: Annotated[int, Field(ge=1)] = 4
    """Traces of each question by a trained policy."""
    best_of: Annotated[int, Field(ge=2)] = 16
    """Traces of each question by the base, of which a verifier picks one."""
    cold_temperature: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """At which the base is measured once more: what sharpening alone reaches."""
    base: BaseTrainingConfig = BaseTrainingConfig()
    """The bases."""
    imitation: ImitationConfig = ImitationConfig()
    """The verifier-free arm."""
    verifier: VerifierTrainingConfig = VerifierTrainingConfig()
    """The verifier."""
    reinforce: ReinforceConfig = ReinforceConfig()
    """The verifier-based arm by RL."""
    pool: PoolConfig = PoolConfig(units_in_flight=1)
    """The worker processes, one thread each."""

    @model_validator(mode="after")
    def _can_be_studied(self) -> Self:
        for horizon in (self.horizon, *self.horizons):
            check_horizon(horizon)
        for name in ("nums", "horizons", "horizon_spreads", "binary_holds"):
            given = getattr(self, name)
            if len(set(given)) < len(given):
                raise ValueError(f"{name}: expected different values, got {given}")
        if 0 < len(self.horizons) < 3:
            raise ValueError(
                f"horizons: expected three or more for a fit, or none, got {self.horizons}"
            )
        if self.horizons and not self.horizon_spreads:
            raise ValueError("horizon_spreads: expected at least one spread beside horizons")
        known = [each.hold for each in self.holds]
        if len(set(known)) < len(known):
            raise ValueError(f"holds: expected each once, got {', '.join(known)}")
        if unknown := set(self.binary_holds).difference(known):
            got = ", ".join(sorted(unknown))
            raise ValueError(f"binary_holds: expected some of {', '.join(known)}, got {got}")
        spreads = {spread for hold in self.holds for spread in hold.spreads}
        if self.horizons:
            spreads.update(self.horizon_spreads)
        for spread in sorted(spreads):
            low, high = self.reference - spread, self.reference + spread
            if not (low > 0 and high < 1):
                raise ValueError(
                    f"spread {spread:g}: expected gammas in (0, 1), got {low:g} and {high:g}"
                )
        return self

    def relations(self) -> tuple[Relation, ...]:
        """The relations that it measures."""
        return (
            *self._verifier_wins(),
            *self._errors_fall(),
            *self._imitation_suffers(),
            *self._verifier_does_not(),
            *self._gap_grows_with_data(),
            *self._gap_grows_with_horizon(),
        )

    def _verifier_wins(self) -> Iterator[Relation]:
        num = max(self.nums)
        for cell, words in self._bilevel_cells():
            yield _relation(
                "verifier_based_wins",
                "verifier-based training beats verifier-free training of as much data",
                "above everywhere with enough heterogeneity",
                _figure(cell, "vb_rl", "reward", num, "RL on the verifier"),
                _figure(cell, "vf", "reward", num, "SFT on right traces"),
                f"{words}, n = {num}",
            )

    def _errors_fall(self) -> Iterator[Relation]:
        few, many = min(self.nums), max(self.nums)
        for cell, words in self._bilevel_cells() if few < many else ():
            yield _relation(
                "verifier_error_falls",
                "the verifier's error falls with its labelled traces",
                "as H/n up to logarithms",
                _figure(cell, "read", "score_error", few, f"mean error, n = {few}"),
                _figure(cell, "read", "score_error", many, f"mean error, n = {many}"),
                words,
            )

    def _imitation_suffers(self) -> Iterator[Relation]:
        one = cell_name("one", 0, self.horizon, "bilevel")
        for hold in self.holds:
            spread = max(hold.spreads)
            cell = cell_name(hold.hold, spread, self.horizon, "bilevel")
            where = f"equal {hold.hold}, spread {spread:g} against 0"
            for num in sorted({min(self.nums), max(self.nums)}):
                yield _relation(
                    "imitation_suffers",
                    "verifier-free training is worse with more heterogeneity",
                    "worse; verifier-based is not",
                    _figure(one, "vf", "reward", num, "SFT, one skill"),
                    _figure(cell, "vf", "reward", num, "SFT, two skills"),
                    f"reward, {where}, n = {num}",
                )
                yield _relation(
                    "imitation_suffers",
                    "verifier-free training is worse with more heterogeneity",
                    "at least sigma / sqrt(n) below its expert",
                    _figure(cell, "vf_likelihood", "limit_distance", num, "distance, two skills"),
                    _figure(one, "vf_likelihood", "limit_distance", num, "distance, one skill"),
                    f"distance to the mean right trace, {where}, n = {num}",
                )

    def _verifier_does_not(self) -> Iterator[Relation]:
        one = cell_name("one", 0, self.horizon, "bilevel")
        margin = -_NOT_WORSE * (self.horizon - NUM_PLANTED_GOLD + 1)
        for hold in self.holds:
            spread = max(hold.spreads)
            cell = cell_name(hold.hold, spread, self.horizon, "bilevel")
            for num in sorted({min(self.nums), max(self.nums)}):
                yield _relation(
                    "verifier_does_not_suffer",
                    "verifier-based training is no worse with more heterogeneity",
                    "no worse",
                    _figure(cell, "vb_rl", "reward", num, "RL on the verifier, two skills"),
                    _figure(one, "vb_rl", "reward", num, "RL on the verifier, one skill"),
                    f"equal {hold.hold}, spread {spread:g} against 0, n = {num}",
                    margin,
                )

    def _gap_grows_with_data(self) -> Iterator[Relation]:
        few, many = min(self.nums), max(self.nums)
        for cell, words in self._bilevel_cells() if few < many else ():
            yield _relation(
                "gap_grows_with_data",
                "the gap of verifier-based over verifier-free training grows with the data",
                "grows with n",
                _figure(cell, "vb_rl", "gap", many, f"gap, n = {many}"),
                _figure(cell, "vb_rl", "gap", few, f"gap, n = {few}"),
                words,
            )

    def _gap_grows_with_horizon(self) -> Iterator[Relation]:
        if not self.horizons:
            return
        for spread in self.horizon_spreads:
            hold = "gamma" if spread else "one"
            words = f"spread {spread:g}, n = {self.horizon_num}"
            short, long = (
                _figure(
                    cell_name(hold, spread, horizon, "bilevel"),
                    "vb_rl",
                    "gap",
                    self.horizon_num,
                    f"gap, H = {horizon}",
                )
                for horizon in (min(self.horizons), max(self.horizons))
            )
            claim = "the gap grows with the horizon, at least as its square root"
            yield _relation(
                "gap_grows_with_horizon", claim, "at least as sqrt(H)", long, short, words
            )
            exponent = StoredFigure(
                metric="gap_exponent",
                against="vf",
                strategy="vb_rl",
                budget=self.horizon_num,
                set_name=fit_name(spread),
                per="arm",
                label="exponent b of gap = a H^b",
            )
            half = Constant(value=0.5, label="that of the square root")
            yield _relation(
                "gap_grows_with_horizon", claim, "b >= .5", exponent, half, f"exponent, {words}"
            )

    def _bilevel_cells(self) -> Iterator[tuple[str, str]]:
        """The names of the cells at the horizon of heterogeneity, and what they are in words."""
        yield cell_name("one", 0, self.horizon, "bilevel"), "one skill"
        for hold in self.holds:
            for spread in hold.spreads:
                name = cell_name(hold.hold, spread, self.horizon, "bilevel")
                yield name, f"equal {hold.hold}, spread {spread:g}"


def cell_name(hold: str, spread: float, horizon: int, reward: str) -> str:
    """The name of a mixture at a horizon under a reward, as in `gamma-0.25-h12-bilevel`."""
    return f"{hold}-{spread:g}-h{horizon}-{reward}"


def fit_name(spread: float) -> str:
    """The name of the fits of a mixture's gap over all horizons."""
    return f"gamma-{spread:g}-horizons"


def _figure(cell: str, strategy: str, metric: str, num: int, label: str) -> StoredFigure:
    return StoredFigure(
        metric=metric,
        strategy=strategy,
        budget=num,
        against="vf" if metric == "gap" else None,
        set_name=cell,
        per="arm",
        label=label,
    )


def _relation(
    name: str,
    claim: str,
    published: str,
    larger: Any,
    smaller: Any,
    point: str,
    margin: float = 0.0,
) -> Relation:
    return Relation(
        name=name,
        claim=claim,
        paper=_PAPER,
        published=published,
        larger=larger,
        smaller=smaller,
        point=point,
        margin=margin,
    )
