"""Cohen's kappa of two graders over the same solutions, with a bootstrap interval over problems."""

import numpy as np

from tasks.evaluation.statistics.bootstrap import Means, percentile_interval, resample_counts
from tasks.evaluation.statistics.curves import FloatArray


def cohen_kappa(tables: FloatArray) -> FloatArray:
    """Agreement beyond chance of two graders (Cohen 1960): 1 for equal verdicts, 0 for chance.

    Args:
        tables: [num_tables][4] solutions that both call right, only the first, only the second, and
            neither.

    Returns:
        [num_tables]; NaN where a table is empty or chance alone would agree on everything.
    """
    both, first, second, neither = (tables[:, column] for column in range(4))
    num = tables.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        observed = (both + neither) / num
        expected = (
            (both + first) * (both + second) + (neither + first) * (neither + second)
        ) / num**2
        return np.where(expected < 1.0, (observed - expected) / (1.0 - expected), np.nan)


def bootstrap_kappa(
    tables: FloatArray, *, num_resamples: int, confidence: float, seed: int
) -> Means:
    """Kappa over all problems, as the only column.

    Args:
        tables: [num_problems][4] as for `cohen_kappa`.
        num_resamples: number of resamples of the problems; those without a kappa are left out.
        confidence: coverage of the interval, in (0, 1).
        seed: the seed of the resamples.
    """
    num_problems = int((tables.sum(axis=1) > 0).sum())
    value = cohen_kappa(tables.sum(axis=0, keepdims=True))
    low = high = np.array([np.nan])
    if num_problems >= 2 and not np.isnan(value[0]):
        kappas = cohen_kappa(resample_counts(len(tables), num_resamples, seed) @ tables)
        low, high = percentile_interval(kappas[~np.isnan(kappas)][:, None], confidence)
    return Means(value, low, high, np.array([num_problems]))
