"""How a run's rows ended, and of how many steps its solutions are, as a table for a terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from flows.tables.names import GLOSSARY, ROW_FIGURES
from flows.tables.output import visible


def rows_summary(rows: Sequence[Mapping[str, Any]]) -> Table | None:
    """A row per kind of text that a stage made; None without any.

    Args:
        rows: of the query `row_shares_of_run`.
    """
    if not rows:
        return None
    table = Table(
        title="How rows ended",
        caption=f"shares of the rows that ended; steps of whole solutions; {GLOSSARY}",
        box=SIMPLE_HEAD,
    )
    several = len({row["policy"] for row in rows}) > 1
    for name in ("stage", "split", *(["policy"] if several else []), "strategy"):
        table.add_column(name, overflow="fold")
    for name in ROW_FIGURES.values():
        table.add_column(name, justify="right")
    for row in rows:
        names = [row["stage"], row["split"], *([row["policy"]] if several else [])]
        role = row["role"]
        names.append(
            f"{row['strategy']} {role}" if role not in (None, row["strategy"]) else row["strategy"]
        )
        cells = [Text(visible(name or "")) for name in names]
        table.add_row(*cells, *(_figure_words(key, row[key]) for key in ROW_FIGURES))
    return table


def _figure_words(key: str, value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if key.endswith("_share") else f"{value:,.0f}"
