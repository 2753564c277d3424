"""A row is a question with its gold answer."""

from dataclasses import dataclass

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A question with its gold answer."""

    problem_id: str
    source: str
    split: str
    question: str
    answer: str
    solution: str | None = None
    level: Int32 | None = None
    subject: str | None = None
    check: str | None = None
    """What solutions are checked by instead of the answer, such as unit tests or a theorem: JSON
    that one kind of grader reads. None if solutions are checked by the answer."""


PROBLEMS = TableSpec("problems", Problem)
