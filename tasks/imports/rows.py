"""What one reading of a source gives: problems with solutions, in groups that each make a unit."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.imports import ImportsJob
from schemas.rows import Problem
from schemas.units import derive_id
from tasks.imports.formats.base import LabelledSolution


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedRow:
    """A problem with solutions by one policy."""

    problem: Problem
    responses: tuple[str, ...]
    scores: tuple[tuple[float, ...] | None, ...]
    """[num_responses] one score, or one per step; None for a solution without."""
    labelled: tuple[LabelledSolution, ...] = ()
    """[num_responses] the solutions cut into steps and labelled; empty for a row without labels."""
    first_index: int = 0
    """How many solutions of this problem earlier rows have."""
    num_mended: int = 0
    """Solutions whose line ends or blank lines were mended."""


class Chunk:
    """The rows of one unit."""

    def __init__(self, rows: list[ImportedRow]) -> None:
        self.rows = rows

    @property
    def num_responses(self) -> int:
        """Solutions in all rows."""
        return sum(len(row.responses) for row in self.rows)

    @property
    def new_problems(self) -> list[Problem]:
        """The problems that no earlier row has."""
        return [row.problem for row in self.rows if not row.first_index]

    @property
    def fingerprint(self) -> str:
        """Equal where two readings of the file gave the same problems and counts."""
        return derive_id(*(f"{row.problem.problem_id} {len(row.responses)}" for row in self.rows))


class LabelledRows:
    """Joins the rows of a labelled set that ask the same question: they are one problem."""

    def __init__(self, job: ImportsJob) -> None:
        self._job = job
        self._seen: dict[str, tuple[Problem, int]] = {}

    def add(self, solutions: Sequence[LabelledSolution]) -> ImportedRow:
        """The solutions of one row of the set, which answer the same question."""
        question = solutions[0].question
        problem, num_seen = self._seen.get(question.text, (None, 0))
        if problem is None:
            source = self._job.source_name
            problem = Problem(
                problem_id=derive_id(source, question.text),
                source=source,
                split=question.split or self._job.split,
                question=question.text,
                answer=question.gold,
                solution=question.worked,
                subject=question.subject,
            )
        self._seen[question.text] = problem, num_seen + len(solutions)
        separator = self._job.prompt.separator
        return ImportedRow(
            problem=problem,
            responses=tuple(separator.join(each.steps) for each in solutions),
            scores=(None,) * len(solutions),
            labelled=tuple(solutions),
            first_index=num_seen,
        )
