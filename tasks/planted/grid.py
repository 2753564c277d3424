"""The grid of the study: its mixtures, its bases, its points, and the units that make them.

A base is a mixture at a horizon, repeated by seed. A point trains both arms from a base with n
traces under one reward; the point without n trains on the truth. Units: the model of a base, the
traces that it draws, and the traces of a point's policies, each one file.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

from schemas.experiments.planted import Hold, RewardKind
from schemas.experiments.verification import VerificationExperimentConfig, cell_name
from schemas.rows import MODELS
from schemas.rows.planted_samples import PLANTED_SAMPLES
from schemas.units import Unit, derive_seed
from tasks.planted.mixtures import Mixture, exact_figures, mixture_like

_SPARE_SHARE = 0.15
"""Of right traces among those drawn, which a base has fewer of than its mixture."""
_MAX_DRAWN = 1_000_000
"""Traces that a base may draw; a mixture that needs more is hardly ever right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A policy that is trained on a mixture's traces."""

    hold: Hold | None
    """What the mixture has in common with the single skill; None for that itself."""
    spread: float
    mixture: Mixture
    horizon: int
    repetition: int
    """From 0."""
    nums: tuple[int, ...]
    """Numbers of traces that its points train on."""

    @property
    def held(self) -> str:
        """The hold in rows and names."""
        return self.hold or "one"

    @property
    def name(self) -> str:
        """The name of its units."""
        return f"{self.held}-{self.spread:g}-h{self.horizon}-s{self.repetition}"

    def seed(self, config: VerificationExperimentConfig, *purpose: object) -> int:
        """A seed; the same questions and orders for all mixtures of a horizon and repetition."""
        return derive_seed(
            "planted", config.seed, self.repetition, self.horizon, *map(str, purpose)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Both arms from one base; with n None the verifier-based one, the truth as its verifier."""

    base: Base
    reward: RewardKind
    num: int | None

    @property
    def name(self) -> str:
        """The name of its unit."""
        num = "truth" if self.num is None else f"n{self.num}"
        return f"{self.base.name}-{num}-{self.reward}"

    @property
    def cell(self) -> str:
        """The name that its repetitions share."""
        return cell_name(self.base.held, self.base.spread, self.base.horizon, self.reward)


def bases(config: VerificationExperimentConfig) -> tuple[Base, ...]:
    """Every base, all of one repetition before the next.

    Raises:
        ValueError: a mixture does not exist, or a base would have to draw more traces than it may.
    """
    return _bases(config.model_dump_json())


@lru_cache(maxsize=4)
def _bases(config_json: str) -> tuple[Base, ...]:
    config = VerificationExperimentConfig.model_validate_json(config_json)
    wanted: dict[tuple[Hold | None, float, int], set[int]] = {}
    nums = set(config.nums)
    wanted[None, 0.0, config.horizon] = nums.copy()
    for each in config.holds:
        for spread in each.spreads:
            wanted[each.hold, spread, config.horizon] = nums.copy()
    for horizon in config.horizons:
        for spread in config.horizon_spreads:
            key: tuple[Hold | None, float, int] = ("gamma" if spread else None, spread, horizon)
            wanted.setdefault(key, set()).add(config.horizon_num)
    found = []
    for repetition in range(config.num_seeds):
        for (hold, spread, horizon), of in wanted.items():
            mixture = mixture_like(config.reference, spread, hold or "gamma", horizon)
            found.append(
                Base(
                    hold=hold,
                    spread=spread,
                    mixture=mixture,
                    horizon=horizon,
                    repetition=repetition,
                    nums=tuple(sorted(of)),
                )
            )
    for base in found:
        num_drawn(base, config)
    return tuple(found)


def points(config: VerificationExperimentConfig) -> tuple[Point, ...]:
    """Every point, in the order of the bases.

    Raises:
        ValueError: as `bases`.
    """
    found = []
    for base in bases(config):
        rewards: list[RewardKind] = ["bilevel"]
        is_binary = base.hold in config.binary_holds or (base.hold is None and config.binary_holds)
        if is_binary and base.horizon == config.horizon:
            rewards.append("binary")
        nums = base.nums if base.horizon == config.horizon else (config.horizon_num,)
        found += [Point(base=base, reward=r, num=n) for r in rewards for n in (*nums, None)]
    return tuple(found)


def num_right(base: Base, config: VerificationExperimentConfig) -> int:
    """Right traces that a base needs: the largest n, and those that trainings are compared by."""
    return max(base.nums) + config.imitation.num_dev_questions


def num_drawn(base: Base, config: VerificationExperimentConfig) -> int:
    """Traces that a base draws to learn from.

    Raises:
        ValueError: the mixture would need more than are drawn, or than may be.
    """
    p_success = exact_figures(base.mixture, base.horizon, "bilevel").p_success
    num = num_right(base, config)
    share = p_success * (1 - _SPARE_SHARE)
    needed = max(num, ceil(num / share + 3 * sqrt(num * (1 - share)) / share))
    if config.num_drawn is not None and config.num_drawn * p_success < num:
        raise ValueError(
            f"num_drawn {config.num_drawn}: expected enough for {num} right traces of {base.name} "
            f"(the largest n, and num_dev_questions to compare by), of which {p_success:.3f} are "
            f"right: {ceil(num / p_success)} or more"
        )
    if config.num_drawn is None and needed > _MAX_DRAWN:
        raise ValueError(
            f"{base.name}: only {p_success:.2g} of its traces are right, so that {num} right ones "
            f"need {needed:,} traces, more than {_MAX_DRAWN:,}: choose a smaller spread or n"
        )
    return config.num_drawn or needed


def model_unit(base: Base, run_id: str, stage: str) -> Unit:
    """The unit that trains a base."""
    return Unit(run_id=run_id, stage=stage, name=f"base-{base.name}", table=MODELS.name)


def drawing_unit(base: Base, run_id: str, stage: str) -> Unit:
    """The unit with the traces that a base draws."""
    model = model_unit(base, run_id, stage).path
    return _samples_unit(f"drawn-{base.name}", run_id, stage, model)


def point_unit(point: Point, run_id: str, stage: str) -> Unit:
    """The unit with the traces of a point's policies."""
    model = model_unit(point.base, run_id, stage).path
    drawn = drawing_unit(point.base, run_id, stage).path
    return _samples_unit(f"point-{point.name}", run_id, stage, model, drawn)


def base_of(unit: Unit, config: VerificationExperimentConfig) -> Base:
    """The base of a model's or a drawing's unit."""
    name = unit.name.partition("-")[2]
    return next(base for base in bases(config) if base.name == name)


def point_of(unit: Unit, config: VerificationExperimentConfig) -> Point:
    """The point of a unit."""
    name = unit.name.partition("-")[2]
    return next(point for point in points(config) if point.name == name)


def rows_of_drawing(base: Base, config: VerificationExperimentConfig) -> int:
    """Rows of the traces that a base draws."""
    measured = config.num_questions * config.best_of
    return 2 * num_teacher_traces(config) + num_drawn(base, config) + measured


def rows_of_point(point: Point, config: VerificationExperimentConfig) -> int:
    """Rows of a point."""
    policy = config.num_questions * config.traces_per_question
    if point.num is None:
        return policy + config.num_questions
    read = config.num_questions * config.best_of
    return 3 * policy + config.num_questions + read


def num_teacher_traces(config: VerificationExperimentConfig) -> int:
    """Traces of the mixture itself, by which the base is compared with it."""
    return config.num_questions * config.traces_per_question


def _samples_unit(name: str, run_id: str, stage: str, *inputs: str) -> Unit:
    return Unit(
        run_id=run_id, stage=stage, name=name, table=PLANTED_SAMPLES.name, inputs=tuple(inputs)
    )
