"""The law of repeated sampling as rows of `metrics`: log coverage = a k^b (arXiv:2407.21787).

Rows are about the strategy `pass`. `coverage` is pass@k at the powers of two, k in `budget`, over
problems that at least as many rows count for; `coverage_a` and `coverage_b` are the law's numbers
with intervals over problems, `coverage_error` its largest distance from a point; their `budget` is
the largest k. Curves of zeros or ones have no law, and then only `coverage`.
"""

from collections.abc import Sequence

import numpy as np

from schemas.rows import Metric
from schemas.units import derive_seed
from tasks.evaluation.figures import About, FigureWriter
from tasks.evaluation.solutions.candidates import Candidates, num_reached
from tasks.evaluation.statistics.coverage import fit_coverage_law
from tasks.evaluation.statistics.curves import pass_curve

PASS = "pass"


def coverage_rows(candidates: Sequence[Candidates], figures: FigureWriter) -> list[Metric]:
    """The measured coverage and its law; empty if no problem has two rows that count."""
    ks = [1 << power for power in range(num_reached(candidates).bit_length())]
    outcomes = [[ok is True for ok in c.outcomes() if ok is not None] for c in candidates]
    counted = [rows for rows in outcomes if len(rows) >= ks[-1]] if ks else []
    if len(ks) < 2 or not counted:
        return []
    rates = np.stack([pass_curve(rows, ks) for rows in counted])
    rows = figures.means(rates, [About(PASS, k) for k in ks], "coverage")
    config = figures.config
    law = fit_coverage_law(
        ks,
        rates,
        num_resamples=config.num_bootstrap,
        confidence=config.confidence,
        seed=derive_seed(config.seed, "bootstrap", "all"),
    )
    if law is None:
        return rows
    about, num = About(PASS, ks[-1]), law.num_problems
    return [
        *rows,
        figures.row(about, "coverage_a", law.fit.a, num, interval=law.a_interval),
        figures.row(about, "coverage_b", law.fit.b, num, interval=law.b_interval),
        figures.row(about, "coverage_error", law.fit.error, num, interval=law.error_interval),
    ]
