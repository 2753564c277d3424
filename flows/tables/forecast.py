"""The forecast of a flow as a table for a terminal."""

from collections.abc import Sequence
from dataclasses import fields

from rich.box import SIMPLE_HEAD
from rich.table import Table

from flows.runs.forecast import Assumptions, StageForecast

_TITLES = {
    "units": "units",
    "requests": "requests",
    "solutions": "solutions",
    "tokens": "tokens",
    "max_tokens": "at most",
    "scored_tokens": "read",
    "trained_tokens": "trained",
    "num_bytes": "rows",
}
_SCALES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k"))


def forecast_table(
    stages: Sequence[StageForecast], assumed: Assumptions, tokens_per_second: float | None
) -> Table:
    """A row per stage, and their sum; hours of generation where a rate is given."""
    table = Table(
        title="What would be done; nothing was started",
        caption="tokens: generated, expected; at most: every text as long as it may be;\n"
        "read: by a verifier; trained: passed over in training; rows: bytes on disk. Assumed:\n"
        + "\n".join(f"- {line}" for line in assumed.words()),
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption_justify="left",
    )
    table.add_column("stage", overflow="fold")
    for title in _TITLES.values():
        table.add_column(title, justify="right", no_wrap=True)
    if tokens_per_second is not None:
        table.add_column("hours", justify="right", no_wrap=True)
        table.add_column("at most", justify="right", no_wrap=True)
    rows = [*stages, total_of(stages)] if len(stages) > 1 else list(stages)
    for stage in rows:
        cells = [_short(getattr(stage, name), "B" * (name == "num_bytes")) for name in _TITLES]
        if tokens_per_second is not None:
            cells += [
                _hours(tokens, tokens_per_second) for tokens in (stage.tokens, stage.max_tokens)
            ]
        is_last = len(stages) > 1 and stage is stages[-1]
        table.add_row(stage.stage, *cells, end_section=is_last)
    return table


def total_of(stages: Sequence[StageForecast]) -> StageForecast:
    """The sum over all stages."""
    names = [each.name for each in fields(StageForecast) if each.name != "stage"]
    sums = {name: sum(getattr(stage, name) for stage in stages) for name in names}
    return StageForecast(stage="all", **sums)


def _short(count: int, unit: str = "") -> str:
    """A number of at most five digits, empty for none."""
    if not count:
        return ""
    for size, letter in _SCALES:
        if count >= size:
            size = size if letter != "k" else 1e3
            return f"{count / size:,.1f}{letter}{unit}"
    return f"{count:,}{unit}"


def _hours(tokens: int, tokens_per_second: float) -> str:
    hours = tokens / tokens_per_second / 3600
    return "" if not tokens else f"{hours:,.2f}" if hours < 10 else f"{hours:,.0f}"
