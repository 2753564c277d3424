"""The bins of a set's searches, and the figures of one bin's problems."""

from collections.abc import Mapping, Sequence

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.searches.compute_optimal import name_thresholds
from tasks.evaluation.searches.grid import SearchGrid
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.difficulty import assign_levels, members_by_bin

Levels = Sequence[str | None]
"""[num_problems] the level of each problem; None without one."""
SolveRates = Mapping[str, Sequence[float | None]]
"""[num_problems] the solve rate of each problem, by its source: `oracle` or `model`."""


class BinFigures:
    """Writes the figures of one bin's problems."""

    def __init__(
        self, grid: SearchGrid, config: EvaluationConfig, where: Bin, members: Sequence[int]
    ) -> None:
        """A writer for some problems of the grid, given as indices."""
        self.grid = grid
        self.members = list(members)
        self._writer = FigureWriter(grid.policy, config)
        self._bin = str(where)

    def means(self, values: FloatArray, abouts: Sequence[About], metric: str) -> list[Metric]:
        """The mean of each column of [num_problems][num_columns] over the bin's problems."""
        return self._writer.means(values[self.members], abouts, metric, bin_name=self._bin)

    def share(
        self, about: About, metric: str, num_successes: int, num_trials: int, num_problems: int
    ) -> list[Metric]:
        """A share of counted things; empty if nothing was counted."""
        return self._writer.share(
            about, metric, num_successes, num_trials, num_problems, bin_name=self._bin
        )

    def row(self, about: About, metric: str, value: float, num_problems: int) -> Metric:
        """One figure without an interval."""
        return self._writer.row(about, metric, value, num_problems, bin_name=self._bin)


def search_bins(
    grid: SearchGrid, solve_rates: SolveRates, config: EvaluationConfig
) -> dict[Bin, list[int]]:
    """The problems of each bin as indices, all first, without empty bins."""
    labels: dict[str, Levels] = {
        "level": _texts([problem.level for problem in grid.problems]),
        "subject": [problem.subject for problem in grid.problems],
        **difficulties(solve_rates),
    }
    bins = all_problems(grid)
    for kind in config.bins:
        bins |= members_by_bin(kind, labels.get(kind, ()))
    return bins


def all_problems(grid: SearchGrid) -> dict[Bin, list[int]]:
    """The bin of all problems."""
    return {Bin(): list(range(len(grid.problems)))}


def difficulties(solve_rates: SolveRates) -> dict[str, Levels]:
    """The levels for every known kind of difficulty: quintiles and absolute thresholds."""
    kinds: dict[str, Levels] = {}
    for source, rates in solve_rates.items():
        if any(rate is not None for rate in rates):
            kinds[f"{source}_quintile"] = _texts(assign_levels(rates))
            kinds[f"{source}_threshold"] = name_thresholds(rates)
    return kinds


def _texts(labels: Sequence[int | None]) -> list[str | None]:
    return [None if label is None else str(label) for label in labels]
