"""Rows of solutions that were sampled elsewhere, by the columns that a job names.

A row holds a question, its gold answer, and either a list of solutions or, as many toolkits dump
them, one solution as a text. Scores are one number per solution, or a list with one per step. Rows
with one solution that have the same question, answer and check are one problem.

Where the separator is made of several line ends, those of Windows become plain ones, and lines of
blanks empty ones, since no step would end there otherwise.
"""

import math
import re
from decimal import Decimal
from typing import Any

from schemas.imports import ImportsJob
from schemas.rows import Problem
from tasks.imports.rows import ImportedRow
from tasks.problems.files import check_text, to_problem
from tasks.problems.row_files import BadRow, Row, shorten
from tasks.steps.segmentation import split_steps

_LINE_END = re.compile(r"\r\n?")
_BLANK_LINE = re.compile(r"(?<=\n)[^\S\n]+(?=\n)")


class SolvedRows:
    """Reads rows one after another, and remembers the problems of those with one solution."""

    def __init__(self, job: ImportsJob) -> None:
        self._job = job
        self._seen: dict[tuple[str, str, str | None], tuple[Problem, int]] = {}

    def read(self, row: Row, index: int) -> ImportedRow:
        """A row, checked.

        Raises:
            BadRow: says what was expected in which column, and what came.
        """
        job = self._job
        problem = to_problem(row, index, job, source=job.source_name, split=job.split)
        assert isinstance(row, dict)
        given, scores = row.get(job.responses_column), row.get(job.read_scores_column)
        if not isinstance(given, str):
            return _read_list(problem, given, scores, job)
        found = _read_list(problem, [given], None if scores is None else [scores], job)
        key = (problem.question, problem.answer, problem.check)
        first, num_seen = self._seen.get(key, (problem, 0))
        self._seen[key] = first, num_seen + 1
        return ImportedRow(
            problem=first,
            responses=found.responses,
            scores=found.scores,
            first_index=num_seen,
            num_mended=found.num_mended,
        )


def _read_list(problem: Problem, texts: Any, given: Any, job: ImportsJob) -> ImportedRow:
    column = job.responses_column
    if not isinstance(texts, list) or not texts:
        raise BadRow(
            f"expected a text or a list of texts in column {column!r}, got {shorten(texts)}"
        )
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise BadRow(f"expected a text as response {place}, got {shorten(text)}")
        check_text(text, f"response {place}")
    mended = [_mend_lines(text, job.prompt.separator) for text in texts]
    return ImportedRow(
        problem=problem,
        responses=tuple(mended),
        scores=tuple(_read_all_scores(given, mended, job)),
        num_mended=sum(one != other for one, other in zip(texts, mended, strict=True)),
    )


def _mend_lines(text: str, separator: str) -> str:
    """The text with line ends and blank lines as the separator has them."""
    if len(separator) > 1 and not separator.strip("\n"):
        text = _LINE_END.sub("\n", text) if "\r" in text else text
        return _BLANK_LINE.sub("", text)
    return text


def _read_all_scores(
    given: Any, texts: list[str], job: ImportsJob
) -> list[tuple[float, ...] | None]:
    if given is None:
        return [None] * len(texts)
    if not isinstance(given, list) or len(given) != len(texts):
        came = f"{len(given)}" if isinstance(given, list) else shorten(given)
        raise BadRow(f"expected {len(texts)} scores, one per response, got {came}")
    return [_read_scores(s, t, i, job) for i, (s, t) in enumerate(zip(given, texts, strict=True))]


def _read_scores(given: Any, text: str, place: int, job: ImportsJob) -> tuple[float, ...] | None:
    """The scores of one response: of the whole, or of each step; None where there is none."""
    if given is None or given == []:
        return None
    if not isinstance(given, list):
        return (_read_score(given, place, job),)
    num_steps = len(split_steps(text, job.prompt.step_rule))
    if len(given) not in (1, num_steps):
        raise BadRow(
            f"response {place} has {num_steps} steps, cut at {job.prompt.separator!r}: expected "
            f"as many scores or one, got {len(given)}"
        )
    return tuple(_read_score(score, place, job) for score in given)


def _read_score(given: Any, place: int, job: ImportsJob) -> float:
    try:
        score = float(given) if type(given) in (int, float, Decimal) else math.nan
    except OverflowError:
        score = math.inf
    if not math.isfinite(score):
        raise BadRow(f"expected a number as score of response {place}, got {shorten(given)}")
    if job.score_scale == "logit":
        # Of the two forms, the one whose exponential cannot overflow.
        odds = math.exp(-abs(score))
        return 1 / (1 + odds) if score >= 0 else odds / (1 + odds)
    if not 0 <= score <= 1:
        raise BadRow(
            f"expected a score in [0, 1] of response {place}, got {shorten(given)}; scores on "
            "another scale need score_scale=logit"
        )
    return score
