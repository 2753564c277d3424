"""A file of solutions sampled elsewhere as rows, and as chunks of rows that make a unit each.

A row that does not fit is left out whole and named by its number from 0; the others are read. Rows
of lm-evaluation-harness are made plain first (`harness.py`). Rows
with one solution each (`solved.py`) or of a labelled set (`formats/`) that ask the same question
are one problem.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TextIO

import pyarrow as pa

from schemas.imports import ImportsJob
from schemas.rows import PROBLEMS, to_table
from tasks.imports.formats import FORMATS
from tasks.imports.harness import HarnessRows
from tasks.imports.rows import Chunk, ImportedRow, LabelledRows
from tasks.imports.solved import SolvedRows
from tasks.imports.source import iterate_source
from tasks.problems.files import check_columns, problem_columns
from tasks.problems.row_files import BadRow, Row

_MAX_NOTES = 1000
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSurvey:
    """The contents of a file: its problems, its chunks, and what cannot be used."""

    problems: pa.Table
    """Rows of `problems`."""
    fingerprints: tuple[str, ...]
    """One per chunk."""
    num_responses: int
    has_scores: bool
    num_left_out: int
    labels: Mapping[bool | None, int] = field(default_factory=dict)
    """How many steps are labelled right and wrong, and have no label (None)."""
    num_divided_steps: int = 0
    """Steps of labelled solutions with the separator inside."""
    num_mended: int = 0
    """Solutions whose line ends or blank lines were mended."""
    notes: tuple[str, ...]
    """A line per row left out, with its number from 0; only the first ones of very many."""

    @property
    def problem_ids(self) -> list[str]:
        """The ids of the problems, in order."""
        return self.problems.column("problem_id").to_pylist()


def survey_file(
    job: ImportsJob,
    on_progress: Callable[[int], None] = lambda num_rows: None,
    left_out: TextIO | None = None,
) -> FileSurvey:
    """Read the whole file once and keep only its problems.

    Args:
        job: the file and its columns.
        on_progress: called with the number of usable rows so far.
        left_out: gets a line for every row left out, however many there are.

    Raises:
        ValueError: the file does not exist, a column that the job names occurs in no row, or
            no row can be used.
    """
    seen = _Seen(left_out=left_out)
    tables, fingerprints = [PROBLEMS.schema.empty_table()], []
    num_rows = num_responses = 0
    has_scores = False
    for chunk in _cut(_usable_rows(job, seen), job):
        tables.append(to_table(PROBLEMS, chunk.new_problems))
        fingerprints.append(chunk.fingerprint)
        num_rows += len(chunk.rows)
        num_responses += chunk.num_responses
        has_scores |= any(scores is not None for row in chunk.rows for scores in row.scores)
        on_progress(num_rows)
    if not job.is_labelled:
        wanted = problem_columns(job) | {
            "responses_column": job.responses_column,
            "scores_column": job.scores_column,
        }
        check_columns(seen.columns, wanted, repr(job.path.name if job.path else job.dataset))
    if not num_rows:
        first = "".join(seen.notes[:1])
        what = (
            f"none of its {seen.num_left_out} rows can be used; {first}" if first else "it is empty"
        )
        raise ValueError(f"expected at least one row with solutions in {job.place}: {what}")
    return FileSurvey(
        problems=pa.concat_tables(tables),
        fingerprints=tuple(fingerprints),
        num_responses=num_responses,
        has_scores=has_scores,
        num_left_out=seen.num_left_out,
        labels=seen.labels,
        num_divided_steps=seen.num_divided_steps,
        num_mended=seen.num_mended,
        notes=tuple(seen.notes),
    )


def read_chunks(job: ImportsJob) -> Iterator[Chunk]:
    """The usable rows of the file, in groups that each make a unit."""
    return _cut(_usable_rows(job, _Seen()), job)


@dataclass(slots=True)
class _Seen:
    """What one reading of a file found."""

    columns: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    num_left_out: int = 0
    labels: Counter[bool | None] = field(default_factory=Counter)
    num_divided_steps: int = 0
    num_mended: int = 0
    left_out: TextIO | None = None

    def leave_out(self, index: int, error: BadRow) -> None:
        """Note a row that cannot be used."""
        note = f"row {index} is left out: {error}"
        self.num_left_out += 1
        if len(self.notes) < _MAX_NOTES:
            self.notes.append(note)
        if self.left_out is not None:
            self.left_out.write(f"{note}\n")


def _usable_rows(job: ImportsJob, seen: _Seen) -> Iterator[ImportedRow]:
    labelled, harness, solved = LabelledRows(job), HarnessRows(job), SolvedRows(job)
    for index, row in enumerate(iterate_source(job)):
        seen.columns.update(dict.fromkeys(harness.columns(row)))
        try:
            if job.is_labelled:
                found = _read_labelled(row, job, labelled)
                _count_labels(found, job, seen)
            else:
                found = solved.read(harness.plain(row), index)
                seen.num_mended += found.num_mended
        except BadRow as error:
            seen.leave_out(index, error)
        else:
            yield found


def _read_labelled(row: Row, job: ImportsJob, labelled: LabelledRows) -> ImportedRow:
    if isinstance(row, BadRow):
        raise row
    _, read, _ = FORMATS[job.format]
    return labelled.add(read(row, job))


def _count_labels(row: ImportedRow, job: ImportsJob, seen: _Seen) -> None:
    for solution in row.labelled:
        seen.labels.update(solution.labels)
        seen.num_divided_steps += sum(job.prompt.separator in step for step in solution.steps)


def _cut(rows: Iterable[ImportedRow], job: ImportsJob) -> Iterator[Chunk]:
    """Chunks of about as many solutions and characters as the job says; no row is split."""
    kept: list[ImportedRow] = []
    num_responses = num_chars = 0
    for row in rows:
        chars = sum(map(len, row.responses))
        is_full = (
            num_responses + len(row.responses) > job.trajectories_per_unit
            or num_chars + chars > job.unit_mb * _MILLION
        )
        if kept and is_full:
            yield Chunk(kept)
            kept, num_responses, num_chars = [], 0, 0
        kept.append(row)
        num_responses += len(row.responses)
        num_chars += chars
    if kept:
        yield Chunk(kept)
