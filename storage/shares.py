"""How the rows of committed files ended: cut, ungraded, of one step, unlabelled, unreadable.

The views `row_shares` and `label_shares` count the same over a whole store.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from storage.store import Store

_COLUMNS = ("status", "answer", "correct", "parent_id", "role", "changed_boundaries", "steps")


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShares:
    """Counts of the texts in some files of trajectories."""

    num_rows: int = 0
    num_errors: int = 0
    num_ended: int = 0
    """Finished or truncated: shares are of these."""
    num_truncated: int = 0
    num_answerless: int = 0
    num_blank: int = 0
    """Finished without an answer."""
    num_ungraded: int = 0
    """Without a verdict, those that were cut before their answer included."""
    num_unjudged: int = 0
    """Without a verdict in spite of their answer."""
    num_boundaries: int = 0
    """Ends of steps of which it is known whether text alone would be other tokens there."""
    num_changed: int = 0
    """Those at which it would be."""
    steps: tuple[int, ...] = ()
    """The number of steps of each ended row that continues no other row, in increasing order."""

    @property
    def num_one_step(self) -> int:
        """Rows with one step, or none."""
        return sum(number <= 1 for number in self.steps)

    def share(self, number: int) -> float:
        """A number of rows as a share of those that ended; 0 without any."""
        return number / self.num_ended if self.num_ended else 0.0

    @property
    def one_step_share(self) -> float:
        """The share of solutions with one step; 0 without any."""
        return self.num_one_step / len(self.steps) if self.steps else 0.0

    def steps_at(self, quantile: float) -> int | None:
        """The smallest number of steps that this share of the solutions does not exceed."""
        if not self.steps:
            return None
        return self.steps[max(math.ceil(quantile * len(self.steps)), 1) - 1]

    def __add__(self, other: "RowShares") -> "RowShares":
        """The counts of both."""
        names = [each.name for each in fields(self) if each.name != "steps"]
        summed = {name: getattr(self, name) + getattr(other, name) for name in names}
        return RowShares(**summed, steps=tuple(sorted((*self.steps, *other.steps))))


@dataclass(frozen=True, slots=True)
class LabelShares:
    """Counts of the step labels in some files."""

    num_steps: int
    num_unlabelled: int

    @property
    def unlabelled_share(self) -> float:
        """The share of steps without a hard label; 0 without any."""
        return self.num_unlabelled / self.num_steps if self.num_steps else 0.0


@dataclass(frozen=True, slots=True)
class CritiqueShares:
    """Counts of the critiques in some files."""

    num_rows: int
    faults: Counter[str]
    """Critiques with a fault, by fault, without those that an engine refused."""
    num_errors: int
    """Those that an engine refused."""
    num_truncated: int
    num_leaks: int
    generated_tokens: int

    @property
    def num_unreadable(self) -> int:
        """Critiques with a fault."""
        return self.faults.total()

    def share(self, number: int) -> float:
        """A number of critiques as a share of those that an engine wrote; 0 without any."""
        num_written = self.num_rows - self.num_errors
        return number / num_written if num_written else 0.0


def count_critiques(store: Store, paths: Sequence[str]) -> CritiqueShares:
    """The counts of the critiques in these files."""
    names = ("status", "fault", "leaks", "generated_tokens")
    rows = [row for path in paths for row in store.columns(path, names).to_pylist()]
    written = [row for row in rows if row["status"] != "error"]
    return CritiqueShares(
        num_rows=len(rows),
        faults=Counter(row["fault"] for row in written if row["fault"] is not None),
        num_errors=len(rows) - len(written),
        num_truncated=sum(row["status"] == "truncated" for row in written),
        num_leaks=sum(row["leaks"] for row in written),
        generated_tokens=sum(row["generated_tokens"] for row in rows),
    )


def count_rows(store: Store, paths: Iterable[str]) -> RowShares:
    """The counts of the texts in these files, without text that is no part of a solution."""
    counts: dict[str, int] = dict.fromkeys(
        (each.name for each in fields(RowShares) if each.name != "steps"), 0
    )
    steps: list[int] = []
    for path in paths:
        table = store.columns(path, _COLUMNS)
        columns = [table.column(name).to_pylist() for name in _COLUMNS[:-1]]
        lengths = _lengths(table)
        for status, answer, correct, parent, role, changed, num_steps in zip(
            *columns, lengths, strict=True
        ):
            if role in ("judge", "lookahead"):
                continue
            has_ended = status in ("finished", "truncated")
            facts = {
                "num_rows": True,
                "num_errors": status == "error",
                "num_ended": has_ended,
                "num_truncated": status == "truncated",
                "num_answerless": has_ended and answer is None,
                "num_blank": status == "finished" and answer is None,
                "num_ungraded": has_ended and correct is None,
                "num_unjudged": has_ended and correct is None and answer is not None,
            }
            for name, holds in facts.items():
                counts[name] += holds
            if changed is not None:
                counts["num_boundaries"] += max(num_steps - 1, 0)
                counts["num_changed"] += changed
            if has_ended and parent is None:
                steps.append(num_steps)
    return RowShares(**counts, steps=tuple(sorted(steps)))


def count_labels(store: Store, paths: Sequence[str]) -> LabelShares:
    """The counts of the labels in these files."""
    labels = [label for path in paths for label in store.columns(path, ("hard",))["hard"]]
    return LabelShares(len(labels), sum(not label.is_valid for label in labels))


def _lengths(table: Any) -> list[int]:
    import pyarrow.compute as pc

    lengths: Any = pc.call_function("list_value_length", [table.column("steps")])
    return lengths.to_pylist()
