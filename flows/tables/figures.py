"""A figure in a few words, and the sentence that sums up a result."""

from collections.abc import Sequence

from flows.tables.names import UPPER_BOUND
from schemas.rows import Metric

_COUNTS = (
    "labelled_steps",
    "audited_solutions",
    "audited_steps",
    "erroneous_solutions",
    "flawless_solutions",
    "num_critiques",
    "num_graded",
    "num_compared",
)


def figure_words(metric: Metric | None) -> str:
    """A figure and its interval, as in `0.500 (.40-.60)`; empty without a figure."""
    if metric is None:
        return ""
    interval = interval_words(metric)
    return f"{value_words(metric)} ({interval})" if interval else value_words(metric)


def value_words(metric: Metric) -> str:
    """A figure without its interval: a gain with its sign, a count without decimals."""
    if metric.metric in _COUNTS or metric.metric.endswith("_tokens"):
        return f"{metric.value:,.0f}"
    return f"{metric.value:+.3f}" if _is_gain(metric) else f"{metric.value:.3f}"


def interval_words(metric: Metric) -> str:
    """The ends of an interval, as in `.40-.60`, of a gain `+0.01..+0.20`; empty without one."""
    if metric.ci_low is None or metric.ci_high is None:
        return ""
    ends = (metric.ci_low, metric.ci_high)
    if metric.metric.endswith("_tokens"):
        return "-".join(f"{end:,.0f}" for end in ends)
    if _is_gain(metric):
        return "..".join(f"{end:+.2f}" for end in ends)
    return "-".join(f"{end:.2f}".removeprefix("0") for end in ends)


def best_words(metrics: Sequence[Metric]) -> str:
    """One sentence: the best strategy at the largest N, and its gain over the baseline.

    Args:
        metrics: of one policy and verifier; other picks of a search, selections among searches
            and the upper bound take no part.

    Raises:
        ValueError: no accuracy over all problems is given.
    """
    rows = [row for row in metrics if row.bin == "all" and row.pick is None]
    reached = [row for row in rows if row.metric == "accuracy" and row.strategy != UPPER_BOUND]
    if not reached:
        raise ValueError(f"expected accuracies, got none among {len(metrics)} figures")
    budget = max(row.budget or 0 for row in reached)
    best = max((row for row in reached if row.budget == budget), key=lambda row: row.value)
    gains = [row for row in rows if row.metric == "gain_over"]
    baselines = list(dict.fromkeys(row.against for row in gains))
    baseline = "majority" if "majority" in baselines else next(iter(baselines), None)
    words = f"Best at N = {budget}: {best.strategy} with {figure_words(best)}"
    for row in gains:
        if (row.strategy, row.budget, row.against) == (best.strategy, budget, baseline):
            words += f", {figure_words(row)} against {baseline}"
    if best.strategy == baseline:
        words += ", which is what gains are over"
    return f"{words}, {best.num_problems} problems."


def _is_gain(metric: Metric) -> bool:
    return metric.metric.startswith("gain_") or metric.metric.endswith("_difference")
