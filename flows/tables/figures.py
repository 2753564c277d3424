"""A figure in a few words."""

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


def _is_gain(metric: Metric) -> bool:
    return metric.metric.startswith("gain_") or metric.metric.endswith("_difference")
