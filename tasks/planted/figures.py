"""The study's figures as rows of `metrics`, all from the views over stored traces.

A row's `set_name` is the cell (mixture, horizon, reward), `strategy` the arm, `budget` n, `arm` the
repetition (`seed=0`). Beside what is measured there are the exact figures of the mixture (strategy
`exact`): with unlimited data imitation reaches `imitation_limit` and a verifier `verifier_limit`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from schemas.experiments.planted import RewardKind
from schemas.experiments.verification import VerificationExperimentConfig, cell_name, fit_name
from schemas.rows import Metric, now
from storage import Store, connect
from storage.queries import ask
from tasks.planted.fits import fit_power, fit_root
from tasks.planted.grid import Base, bases
from tasks.planted.mixtures import Exact, anti_concentration, exact_figures

_EPSILON = 0.5
_IMITATORS = ("vf", "vf_likelihood")
_BY_VERIFIER = ("vb_rl", "vb_bon")
_NORMAL_95 = 1.959964

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The rows of the views of one run."""

    heterogeneity: Sequence[Row]
    arms: Sequence[Row]
    verifiers: Sequence[Row]


def read_measured(store: Store, run_id: str) -> Measured:
    """What the views say about a run."""
    connection = connect(store.url)
    return Measured(
        heterogeneity=ask(connection, "planted_heterogeneity_of_run", run_id=run_id),
        arms=ask(connection, "planted_arms_of_run", run_id=run_id),
        verifiers=ask(connection, "planted_verifiers_of_run", run_id=run_id),
    )


def study_figures(
    config: VerificationExperimentConfig, measured: Measured, models: Mapping[str, str]
) -> list[Metric]:
    """Every figure of the study.

    Args:
        config: the study.
        measured: the rows of the views.
        models: the id of each base's model, by the base's name.
    """
    made = Figures(config, measured, models)
    return [*made.of_bases(), *made.of_arms(), *made.of_verifiers(), *made.of_horizons()]


class Figures:
    """Makes the rows."""

    def __init__(
        self, config: VerificationExperimentConfig, measured: Measured, models: Mapping[str, str]
    ) -> None:
        """See `study_figures`."""
        self._config, self._measured, self._models = config, measured, models
        self._bases = {
            (base.held, base.mixture.gammas, base.horizon, base.repetition): base
            for base in bases(config)
        }
        self._now = now()

    def of_bases(self) -> Iterator[Metric]:
        """Mixtures and bases: heterogeneity, anti-concentration, distance, and what is exact."""
        for row in self._measured.heterogeneity:
            names = (
                "mean_reward",
                "success",
                "heterogeneity",
                "within_questions",
                "anti_concentration",
                "divergence",
            )
            for name in names:
                if row[name] is not None and row[name] == row[name]:
                    yield self._metric(row, row["writer"], name, row[name], row["num_traces"])
        for base in self._bases.values():
            if base.repetition == 0:
                yield from self._exact(base)

    def of_arms(self) -> Iterator[Metric]:
        """What each arm reaches, its gap over imitation, and its distance to its limit."""
        imitators = _imitators(self._measured.arms)
        for row in self._measured.arms:
            half = _NORMAL_95 * (row["reward_se"] or 0.0)
            value, num = row["reward"], row["num_questions"]
            yield self._metric(row, row["arm"], "reward", value, num, half)
            yield self._metric(row, row["arm"], "success", row["success"], num)
            if row["arm"] in _IMITATORS:
                distance = self._exact_of(row).imitation_limit - value
                yield self._metric(row, row["arm"], "limit_distance", distance, num)
            if row["arm"] in _BY_VERIFIER:
                distance = self._exact_of(row).verifier_limit - value
                yield self._metric(row, row["arm"], "limit_distance", distance, num)
                for arm, reward in imitators[_place(row)].items():
                    yield self._metric(row, row["arm"], "gap", value - reward, num, against=arm)

    def of_verifiers(self) -> Iterator[Metric]:
        """How far scores are from rewards."""
        for row in self._measured.verifiers:
            for name in ("error", "bias", "correlation"):
                value = row[name]
                if value is not None and value == value:
                    yield self._metric(row, row["arm"], f"score_{name}", value, row["num_traces"])

    def of_horizons(self) -> Iterator[Metric]:
        """The gap against the horizon: its exponent, and its multiple of the square root."""
        config = self._config
        gaps = self._gaps()
        for spread in config.horizon_spreads if config.horizons else ():
            for repetition in range(config.num_seeds):
                for arms in product(_BY_VERIFIER, _IMITATORS):
                    by_horizon = {
                        horizon: gaps[spread, horizon, repetition, *arms]
                        for horizon in sorted(config.horizons)
                        if (spread, horizon, repetition, *arms) in gaps
                    }
                    if len(by_horizon) == len(config.horizons):
                        yield from self._fits(spread, repetition, *arms, by_horizon)

    def _gaps(self) -> dict[tuple[float, int, int, str, str], float]:
        """Gaps at `horizon_num` traces, by spread at equal mean skill, horizon, seed and arms."""
        found: dict[tuple[float, int, int, str, str], float] = {}
        rows = [
            row
            for row in self._measured.arms
            if row["n"] == self._config.horizon_num
            and row["reward_kind"] == "bilevel"
            and row["hold"] in ("one", "gamma")
        ]
        imitators = _imitators(rows)
        for row in rows:
            if row["arm"] in _BY_VERIFIER:
                key = (self._base_of(row).spread, row["horizon"], row["seed"], row["arm"])
                for arm, reward in imitators[_place(row)].items():
                    found[*key, arm] = row["reward"] - reward
        return found

    def _fits(
        self, spread: float, repetition: int, arm: str, against: str, gaps: Mapping[int, float]
    ) -> Iterator[Metric]:
        power, root = fit_power(gaps), fit_root(gaps)
        values = {"gap_root_scale": root.scale, "gap_root_unexplained": root.unexplained}
        if power is not None:
            values |= {"gap_exponent": power.exponent, "gap_scale": power.scale}
        for name, value in values.items():
            yield Metric(
                policy="all",
                verifier=None,
                strategy=arm,
                budget=self._config.horizon_num,
                bin="all",
                metric=name,
                value=value,
                ci_low=None,
                ci_high=None,
                num_problems=self._config.num_questions,
                set_name=fit_name(spread),
                created_at=self._now,
                arm=f"seed={repetition}",
                against=against,
            )

    def _exact(self, base: Base) -> Iterator[Metric]:
        kinds: tuple[RewardKind, ...] = ("bilevel", "binary")
        for kind in kinds:
            exact = exact_figures(base.mixture, base.horizon, kind)
            values = {
                "mean_reward": exact.mean_reward,
                "success": exact.p_success,
                "heterogeneity": exact.heterogeneity,
                "anti_concentration": anti_concentration(
                    base.mixture, base.horizon, kind, _EPSILON
                ),
                "imitation_limit": exact.imitation_limit,
                "verifier_limit": exact.verifier_limit,
                "mean_gamma": base.mixture.mean_gamma,
            }
            row = {
                "hold": base.held,
                "gammas": base.mixture.gammas,
                "horizon": base.horizon,
                "reward_kind": kind,
                "seed": 0,
            }
            for name, value in values.items():
                yield self._metric(row, "exact", name, value, 0)

    def _metric(
        self,
        row: Row,
        strategy: str,
        name: str,
        value: float,
        num: int,
        half: float | None = None,
        *,
        against: str | None = None,
    ) -> Metric:
        base = self._base_of(row)
        cell = cell_name(base.held, base.spread, base.horizon, row["reward_kind"])
        return Metric(
            policy=self._models[base.name],
            verifier=None,
            strategy=strategy,
            budget=row.get("n"),
            bin="all",
            metric=name,
            value=value,
            ci_low=None if half is None else value - half,
            ci_high=None if half is None else value + half,
            num_problems=num,
            set_name=cell,
            created_at=self._now,
            arm=f"seed={base.repetition}",
            against=against,
        )

    def _base_of(self, row: Row) -> Base:
        return self._bases[row["hold"], tuple(row["gammas"]), row["horizon"], row["seed"]]

    def _exact_of(self, row: Row) -> Exact:
        return exact_figures(self._base_of(row).mixture, row["horizon"], row["reward_kind"])


def _imitators(rows: Sequence[Row]) -> dict[tuple[Any, ...], dict[str, float]]:
    """The reward of each arm without a verifier, by place."""
    found: dict[tuple[Any, ...], dict[str, float]] = {}
    for row in rows:
        if row["arm"] in _IMITATORS:
            found.setdefault(_place(row), {})[row["arm"]] = row["reward"]
    return found


def _place(row: Row) -> tuple[Any, ...]:
    """What an arm and its imitator have in common."""
    mixture = (row["hold"], tuple(row["gammas"]), row["horizon"], row["seed"])
    return (*mixture, row["reward_kind"], row["n"])
