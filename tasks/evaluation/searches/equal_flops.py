"""Searches of models of several sizes at equal floating point operations (arXiv:2408.03314, 7).

Operations of a search are 2 x parameters x token of the policy, for every token of the prompt that
no cache held and every token written, and the same of the verifier for every token it computed.
A row's `arm` is the size that searched, `against` the larger one it is compared with, `budget` the
larger one's N. `one` is a single sample, the expectation over all samples of the problem: a model
without search, and the first point of every curve. Its `metric` is one of

* `accuracy`, `flops`: of a search at its N, mean per problem;
* `accuracy_at_equal_flops`, `gain_at_equal_flops`: of the smaller size with the strategy at the
  operations of the larger one, without search at budget 1, with the same strategy above, and the
  paired difference to that; interpolated linearly in log operations, and not measured outside the
  smaller one's points;
* `flops_to_meet`: where the smaller size's curve first reaches the larger one without search, as a
  share of the latter's operations; not measured if it never does;
* `multiplier`, `accuracy_at_equal_total`, `gain_at_equal_total`: the same where pretraining counts
  too, against the larger one without search; `bin` holds the tokens of all queries over those of
  pretraining.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.experiments.model_sizes import INFERENCE_SHARE
from schemas.metric_names import Bin
from schemas.rows import Metric, Problem, Trajectory
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter, Interval
from tasks.evaluation.searches.figures import at_equal_tokens
from tasks.evaluation.searches.grid import SearchGrid
from tasks.evaluation.solutions.candidates import drawn_rows
from tasks.evaluation.statistics.bootstrap import resample_counts
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.exchange import FORWARD, inference_multiplier
from tasks.graders.verdicts import outcome

ONE = "one"
"""The strategy of a single sample."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SizedSearches:
    """The searches of a policy of one size, and single samples of it, on the same problems."""

    name: str
    """What the size is called."""
    num_parameters: int
    verifier_parameters: int
    """0 without a verifier."""
    grid: SearchGrid
    one_correct: FloatArray
    """[num_problems] the expected correctness of one sample; nan if it is not known."""
    one_flops: FloatArray
    """[num_problems] the operations of one sample."""

    def flops(self) -> FloatArray:
        """[num_problems][num_cells] the operations of each search."""
        spent = self.grid.spent
        computed = spent["prompt_tokens"] - spent["cached_tokens"] + spent["generated_tokens"]
        read = self.verifier_parameters * spent["scored_tokens"]
        return FORWARD * (self.num_parameters * computed + read)

    def cells(self, strategy: str) -> list[tuple[int, int]]:
        """N and cell of each search by this strategy, in increasing order."""
        cells = enumerate(self.grid.cells)
        return sorted((budget, cell) for cell, (name, budget) in cells if name == strategy)

    def curve(self, strategy: str) -> tuple[FloatArray, FloatArray]:
        """[num_problems][num_points] operations and correctness, from one sample upwards."""
        cells = [cell for _, cell in self.cells(strategy)]
        flops = np.column_stack([self.one_flops, self.flops()[:, cells]])
        return flops, np.column_stack([self.one_correct, self.grid.main[:, cells]])

    def strategies(self) -> list[str]:
        """The strategies that were searched, in the order of the cells."""
        return list(dict.fromkeys(name for name, _ in self.grid.cells))


def one_sample(
    problems: Sequence[Problem], samples: Sequence[Trajectory], num_parameters: int
) -> tuple[FloatArray, FloatArray]:
    """Expected correctness and operations of one sample of each problem, two [num_problems].

    A problem's samples share one prompt, which one of them alone would read as well.

    Args:
        problems: in the order of the result.
        samples: independent solutions by one policy.
        num_parameters: the policy's.
    """
    correct, flops = np.full((2, len(problems)), np.nan)
    for place, rows in enumerate(drawn_rows(problems, samples).values()):
        counted = [
            found
            for row in rows
            if (
                found := outcome(row.status, has_answer=row.answer is not None, correct=row.correct)
            )
            is not None
        ]
        if counted:
            correct[place] = sum(counted) / len(counted)
        if rows:
            prompt = sum(row.prompt_tokens for row in rows)
            written = sum(row.generated_tokens for row in rows) / len(rows)
            flops[place] = FORWARD * num_parameters * (prompt + written)
    return correct, flops


def equal_flops_figures(
    sizes: Sequence[SizedSearches],
    config: EvaluationConfig,
    *,
    inference_shares: Sequence[float] = (),
) -> list[Metric]:
    """Every size's curves, and every size against every larger one.

    Args:
        sizes: in increasing order of parameters.
        config: the intervals.
        inference_shares: tokens of all queries over tokens of pretraining, for the exchange.

    Raises:
        ValueError: fewer than two sizes, sizes out of order, or other problems.
    """
    _check(sizes)
    rows: list[Metric] = []
    for size in sizes:
        rows += _own_rows(size, FigureWriter(size.grid.policy, config))
    for small, large in combinations(sizes, 2):
        figures = FigureWriter(small.grid.policy, config)
        for strategy in small.strategies():
            rows += _equal_rows(small, large, strategy, figures)
            rows += _meeting_rows(small, large, strategy, figures)
            for share in inference_shares:
                rows += _exchange_rows(small, large, strategy, share, figures)
    return rows


def flops_to_reach(flops: Sequence[float], accuracies: Sequence[float], level: float) -> float:
    """Where a curve first reaches an accuracy, linearly in log operations; inf if it never does.

    Args:
        flops: [num_points] above 0, in any order.
        accuracies: [num_points].
        level: the accuracy to reach.
    """
    points = sorted(zip(flops, accuracies, strict=True))
    if points[0][1] >= level:
        return points[0][0]
    for (low, below), (high, above) in pairwise(points):
        if above >= level:
            share = (level - below) / (above - below)
            return float(low * (high / low) ** share)
    return float("inf")


def _check(sizes: Sequence[SizedSearches]) -> None:
    if len(sizes) < 2:
        raise ValueError(f"expected at least two sizes to compare, got {len(sizes)}")
    for small, large in pairwise(sizes):
        if small.num_parameters >= large.num_parameters:
            raise ValueError(
                f"expected sizes in increasing order of parameters, got {small.name} with "
                f"{small.num_parameters:,} before {large.name} with {large.num_parameters:,}"
            )
        one, other = ([p.problem_id for p in size.grid.problems] for size in (small, large))
        if one != other:
            raise ValueError(
                f"expected {small.name} and {large.name} to search the same problems, "
                f"got {len(one)} and {len(other)}, {len(set(one) & set(other))} of them shared"
            )


def _own_rows(size: SizedSearches, figures: FigureWriter) -> list[Metric]:
    abouts = [
        About(ONE, 1, arm=size.name),
        *(
            About(name, budget, verifier=verifier, arm=size.name)
            for (name, budget), verifier in zip(size.grid.cells, size.grid.verifiers, strict=True)
        ),
    ]
    correct = np.column_stack([size.one_correct, size.grid.main])
    flops = np.column_stack([size.one_flops, size.flops()])
    return [*figures.means(correct, abouts, "accuracy"), *figures.means(flops, abouts, "flops")]


def _equal_rows(
    small: SizedSearches, large: SizedSearches, strategy: str, figures: FigureWriter
) -> list[Metric]:
    """The smaller size at the operations of the larger one, without search and with it."""
    flops, correct = large.curve(strategy)
    budgets = [1, *(budget for budget, _ in large.cells(strategy))]
    rows = []
    for place, budget in enumerate(budgets):
        if place and budget == 1:  # one sample stands for it
            continue
        about = About(strategy, budget, arm=small.name, against=large.name)
        spent = float(np.nanmean(flops[:, place]))
        rows += _compared(
            small, strategy, spent, correct[:, place], about, figures, "at_equal_flops"
        )
    return rows


def _exchange_rows(
    small: SizedSearches,
    large: SizedSearches,
    strategy: str,
    share: float,
    figures: FigureWriter,
) -> list[Metric]:
    """The smaller size with what it saves in pretraining, against the larger one without search."""
    times = inference_multiplier(large.num_parameters / small.num_parameters, share)
    about = About(strategy, 1, arm=small.name, against=large.name)
    where = str(Bin(INFERENCE_SHARE, f"{share:g}"))
    spent = times * float(np.nanmean(small.one_flops))
    num_problems = len(small.grid.problems)
    return [
        figures.row(about, "multiplier", times, num_problems, bin_name=where),
        *_compared(
            small, strategy, spent, large.one_correct, about, figures, "at_equal_total", where
        ),
    ]


def _compared(
    small: SizedSearches,
    strategy: str,
    spent: float,
    other: FloatArray,
    about: About,
    figures: FigureWriter,
    what: str,
    where: str = "all",
) -> list[Metric]:
    """The smaller size's correctness at these operations, and its difference to another."""
    flops, correct = small.curve(strategy)
    means = np.nanmean(flops, axis=0)
    points = [(float(mean), correct[:, place]) for place, mean in enumerate(means)]
    reached = at_equal_tokens(points, spent)
    if reached is None:
        return []
    both = np.column_stack([reached, reached - other])
    rows = []
    for name, values in zip(("accuracy", "gain"), both.T, strict=True):
        rows += figures.means(values[:, None], [about], f"{name}_{what}", bin_name=where)
    return rows


def _meeting_rows(
    small: SizedSearches, large: SizedSearches, strategy: str, figures: FigureWriter
) -> list[Metric]:
    """Where the smaller size meets the larger one without search."""
    flops, correct = small.curve(strategy)
    columns = np.column_stack([flops, correct, large.one_flops, large.one_correct])
    columns = columns[~np.isnan(columns).any(axis=1)]
    if not len(columns):
        return []
    num_points = flops.shape[1]

    def share_of(means: FloatArray) -> float:
        met = flops_to_reach(means[:num_points], means[num_points:-2], means[-1])  # type: ignore
        return met / float(means[-2])

    value = share_of(columns.mean(axis=0))
    if not np.isfinite(value):
        return []
    interval: Interval = (None, None)
    if len(columns) > 1:
        config = figures.config
        seed = derive_seed(config.seed, "bootstrap", "all")
        means = resample_counts(len(columns), config.num_bootstrap, seed) @ columns / len(columns)
        shares = np.array([share_of(row) for row in means])
        tail = (1 - config.confidence) / 2
        low = float(np.quantile(shares, tail, method="lower"))
        high = float(np.quantile(shares, 1 - tail, method="higher"))
        interval = (low if np.isfinite(low) else None, high if np.isfinite(high) else None)
    about = About(strategy, 1, arm=small.name, against=large.name)
    return [figures.row(about, "flops_to_meet", value, len(columns), interval=interval)]
