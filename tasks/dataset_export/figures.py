"""The content of a finished set, counted batch by batch: levels, sources, lengths, examples."""

from array import array
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.dataset_export.builders import Form

_MAX_EXAMPLES = 3
_LABEL_WORDS = {True: "right", False: "wrong", None: "unlabelled"}


class SetFigures:
    """Counts of the rows of one set."""

    def __init__(self, form: Form) -> None:
        self._form: Form = form
        self.num_rows = 0
        self.levels: Counter[str] = Counter()
        """Rows by level; `none` for problems without one."""
        self.sources: Counter[str] = Counter()
        self.stages: Counter[int] = Counter()
        self.steps_to_go: Counter[int] = Counter()
        self.labels: Counter[str] = Counter()
        """Steps by their label: `right`, `wrong`, `unlabelled`."""
        self.num_one_step = 0
        """Rows of one step."""
        self.lengths = array("i")
        """Characters of the learned text of each row; of the prefix for start states."""
        self.examples: list[dict[str, Any]] = []
        """The first rows, each of a different level if the set has several."""
        self._problems: set[str] = set()
        self._seen_levels: set[int | None] = set()

    @property
    def num_problems(self) -> int:
        """Number of problems with a row."""
        return len(self._problems)

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of finished rows."""
        self.num_rows += batch.num_rows
        self._problems.update(batch.column("problem_id").unique().to_pylist())
        for level, number in _count(batch.column("level")):
            self.levels["none" if level is None else str(level)] += number
        for source, number in _count(batch.column("source")):
            self.sources[source] += number
        if self._form == "prompt_only":
            self.stages.update(dict(_count(batch.column("stage"))))
            self.steps_to_go.update(dict(_count(batch.column("steps_to_go"))))
        if self._form == "stepwise":
            self.num_one_step += sum(len(each) <= 1 for each in batch.column("completions"))
            for label, number in _count(batch.column("labels").flatten()):
                self.labels[_LABEL_WORDS[label]] += number
        self.lengths.extend(_learned_lengths(batch, self._form))
        self._keep_examples(batch)

    def to_dict(self) -> dict[str, Any]:
        """The counts as JSON can hold them."""
        counts: dict[str, Any] = {
            "rows": self.num_rows,
            "problems": self.num_problems,
            "by_level": dict(sorted(self.levels.items())),
            "by_source": dict(sorted(self.sources.items())),
        }
        if self._form == "stepwise":
            counts["one_step"] = self.num_one_step
        for name, found in (
            ("by_stage", self.stages),
            ("by_steps_to_go", self.steps_to_go),
            ("steps_by_label", self.labels),
        ):
            if found:
                counts[name] = {str(key): found[key] for key in sorted(found)}  # type: ignore[type-var]
        return counts

    def _keep_examples(self, batch: pa.RecordBatch) -> None:
        if len(self.examples) == _MAX_EXAMPLES:
            return
        levels = batch.column("level").to_pylist()
        for index, level in enumerate(levels):
            if level not in self._seen_levels and len(self.examples) < _MAX_EXAMPLES:
                self._seen_levels.add(level)
                self.examples += batch.slice(index, 1).to_pylist()


def count_lines(counts: Mapping[str, Any]) -> list[tuple[str, int]]:
    """A set's counts in words: rows by level, source and stage, then what was left out."""
    lines = [
        (f"{title} {key}", number)
        for kind, title in (("by_level", "level"), ("by_source", "source"), ("by_stage", "stage"))
        for key, number in counts.get(kind, {}).items()
    ]
    if "one_step" in counts:
        lines.append(("rows of one step", counts["one_step"]))
    lines += [
        (f"solutions {how}", counts["solutions"][how])
        for how in ("cut", "answerless", "ungraded")
        if "solutions" in counts
    ]
    return lines + [
        (f"left out: {what}, {reason.replace('_', ' ')}", number)
        for what, reasons in counts["left_out"].items()
        for reason, number in reasons.items()
    ]


def _count(column: pa.Array) -> list[tuple[Any, int]]:
    return [(each["values"], each["counts"]) for each in column.value_counts().to_pylist()]


def _learned_lengths(batch: pa.RecordBatch, form: Form) -> list[int]:
    if form == "stepwise":
        steps = batch.column("completions").to_pylist()
        return [sum(map(len, each)) for each in steps]
    name = {"prompt_completion": "completion", "preference": "chosen", "prompt_only": "prefix"}
    return pc.call_function("utf8_length", [batch.column(name[form])]).to_pylist()
