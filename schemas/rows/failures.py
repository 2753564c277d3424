"""A row is a failed attempt at a unit."""

from dataclasses import dataclass
from datetime import datetime

from schemas.tables import TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A failed attempt at a unit, due to its content; `unit` is the file that it did not write."""

    unit: str
    error_type: str
    message: str
    traceback: str
    code_version: str
    happened_at: datetime


FAILURES = TableSpec("failures", Failure)
