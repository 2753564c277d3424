"""Figures of one bin's problems as rows of `metrics`, with intervals; and which bins there are."""

from collections.abc import Mapping, Sequence

from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from schemas.units import derive_seed
from tasks.evaluation.searches.compute_optimal import name_thresholds
from tasks.evaluation.searches.grid import Cell, SearchGrid
from tasks.evaluation.statistics.bootstrap import bootstrap_mean
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.statistics.difficulty import assign_levels

Levels = Sequence[str | None]
"""[num_problems] the level of each problem; None without one."""
Eases = Mapping[str, Sequence[float | None]]
"""[num_problems] how easy each problem is, by who says so: `oracle` or `model`."""


class BinReport:
    """The figures of one bin."""

    def __init__(
        self, grid: SearchGrid, config: EvaluationConfig, bin_name: str, members: Sequence[int]
    ) -> None:
        """A report on some problems.

        Args:
            grid: the searches.
            config: of the intervals; a bin has its own resamples.
            bin_name: what the `bin` column says.
            members: the bin's problems, as indices.
        """
        self.grid = grid
        self.members = list(members)
        self._config = config
        self._bin = bin_name
        owners = zip(grid.columns, grid.column_names(), strict=True)
        self._verifiers = {name: grid.verifiers[cell] for (cell, _), name in owners}

    def rows(self, values: FloatArray, cells: Sequence[Cell], metric: str) -> list[Metric]:
        """A row per column of [num_problems][num_columns] that was measured."""
        means = bootstrap_mean(
            values[self.members],
            num_resamples=self._config.num_bootstrap,
            confidence=self._config.confidence,
            seed=derive_seed(self._config.seed, "bootstrap", self._bin),
        )
        return [
            self.row(
                cell,
                metric,
                float(means.value[index]),
                int(means.num_problems[index]),
                interval=means.interval(index),
            )
            for index, cell in enumerate(cells)
            if means.num_problems[index]
        ]

    def row(
        self,
        cell: Cell,
        metric: str,
        value: float,
        num_problems: int,
        *,
        interval: tuple[float | None, float | None] = (None, None),
    ) -> Metric:
        """One figure; its verifier is the one that the searches of the cell read."""
        any_verifier = next((v for v in self.grid.verifiers if v is not None), None)
        return Metric(
            policy=self.grid.policy,
            verifier=self._verifiers.get(cell, any_verifier),
            strategy=cell[0],
            budget=cell[1],
            bin=self._bin,
            metric=metric,
            value=value,
            ci_low=interval[0],
            ci_high=interval[1],
            num_problems=num_problems,
        )


def search_bins(grid: SearchGrid, eases: Eases, config: EvaluationConfig) -> dict[str, list[int]]:
    """The problems of each bin as indices, `all` first; a bin without a problem does not exist."""
    labels: dict[str, Levels] = {
        "level": _texts([problem.level for problem in grid.problems]),
        "subject": [problem.subject for problem in grid.problems],
        **difficulties(eases),
    }
    bins = {"all": list(range(len(grid.problems)))}
    for kind in config.bins:
        bins |= level_bins(kind, labels.get(kind, ()))
    return bins


def level_bins(kind: str, levels: Levels) -> dict[str, list[int]]:
    """The problems of each level of one kind, as indices."""
    return {
        f"{kind}={name}": [i for i, level in enumerate(levels) if level == name]
        for name in sorted({level for level in levels if level is not None})
    }


def difficulties(eases: Eases) -> dict[str, Levels]:
    """Every kind of difficulty that can be told: quintiles and absolute thresholds."""
    kinds: dict[str, Levels] = {}
    for who, ease in eases.items():
        if any(value is not None for value in ease):
            kinds[f"{who}_quintile"] = _texts(assign_levels(ease))
            kinds[f"{who}_threshold"] = name_thresholds(ease)
    return kinds


def _texts(labels: Sequence[int | None]) -> list[str | None]:
    return [None if label is None else str(label) for label in labels]
