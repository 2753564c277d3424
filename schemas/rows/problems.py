"""One row is a question with its gold answer."""

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


PROBLEMS = TableSpec("problems", Problem)
