"""Figures with intervals as rows of `metrics`: every figure of the evaluation is written here.

A figure has a subject (`About`: strategy, pick, budget …) and a bin. Its value is a mean over
problems with a bootstrap interval, a share of counted things with Wilson's interval, or a number
without one. Every bin has its own resamples, which all its figures share.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from schemas.units import derive_seed
from tasks.evaluation.statistics.bootstrap import Bounds, Means, bootstrap_mean
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.intervals import wilson_interval

Interval = tuple[float | None, float | None]
_COSTS = ("tokens", "flops", "engine_s", "steps", "seconds")
_DIFFERENCES = ("gain", "delta")


@dataclass(frozen=True, slots=True)
class About:
    """The subject of a figure; the fields are columns of `metrics`."""

    strategy: str
    budget: int | None = None
    verifier: str | None = None
    """The verifier that the figure depends on."""
    pick: str | None = None
    arm: str | None = None
    against: str | None = None


POOL = About("pool")
"""The solutions themselves, not a choice among them."""


def bounds_of(metric: str) -> Bounds | None:
    """The least and the greatest value of a figure of one problem; None for costs."""
    if metric.endswith(_COSTS):
        return None
    return (-1.0, 1.0) if metric.startswith(_DIFFERENCES) else (0.0, 1.0)


class FigureWriter:
    """Writes the figures of one policy."""

    def __init__(self, policy: str, config: EvaluationConfig) -> None:
        """A writer; `config` decides the intervals."""
        self.config = config
        self._policy = policy

    def row(
        self,
        about: About,
        metric: str,
        value: float,
        num_problems: int,
        *,
        bin_name: str = "all",
        interval: Interval = (None, None),
    ) -> Metric:
        """One figure."""
        return Metric(
            policy=self._policy,
            verifier=about.verifier,
            strategy=about.strategy,
            budget=about.budget,
            bin=bin_name,
            metric=metric,
            value=value,
            ci_low=interval[0],
            ci_high=interval[1],
            num_problems=num_problems,
            pick=about.pick,
            arm=about.arm,
            against=about.against,
        )

    def means(
        self, values: FloatArray, abouts: Sequence[About], metric: str, *, bin_name: str = "all"
    ) -> list[Metric]:
        """The mean of each measured column of [num_problems][num_columns]."""
        means = bootstrap_mean(
            values,
            num_resamples=self.config.num_bootstrap,
            confidence=self.config.confidence,
            seed=derive_seed(self.config.seed, "bootstrap", bin_name),
            bounds=bounds_of(metric),
        )
        return self.columns(means, abouts, metric, bin_name=bin_name)

    def columns(
        self, means: Means, abouts: Sequence[About], metric: str, *, bin_name: str = "all"
    ) -> list[Metric]:
        """Means computed elsewhere, a row per measured column."""
        return [
            self.row(
                about,
                metric,
                float(means.value[index]),
                int(means.num_problems[index]),
                bin_name=bin_name,
                interval=means.interval(index),
            )
            for index, about in enumerate(abouts)
            if means.num_problems[index] and not np.isnan(means.value[index])
        ]

    def share(
        self,
        about: About,
        metric: str,
        num_successes: int,
        num_trials: int,
        num_problems: int,
        *,
        bin_name: str = "all",
    ) -> list[Metric]:
        """A share of counted things; empty if nothing was counted."""
        if not num_trials:
            return []
        interval = wilson_interval(num_successes, num_trials, self.config.confidence)
        value = num_successes / num_trials
        return [self.row(about, metric, value, num_problems, bin_name=bin_name, interval=interval)]
