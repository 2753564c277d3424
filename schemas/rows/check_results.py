"""A record inside rows: what running tests, a proof checker or a judge said about a solution."""

from dataclasses import dataclass
from typing import Literal

from schemas.tables import Int32

CheckStatus = Literal[
    "passed",
    "failed",
    "timeout",
    "memory",
    "output",
    "compile_error",
    "missing",
    "refused",
    "bad_check",
    "sandbox_down",
    "undecided",
]
"""`missing`: the text holds no program, proof or function of the asked name. `output`: too much of
it. `refused`: it uses what the checker forbids, such as an axiom. The last three are ungraded:
`bad_check` is a problem whose own tests or statement cannot be used, `sandbox_down` a checker that
could not run, `undecided` a judge that gave no verdict or a checker that a busy machine gave too
little time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """How a check of a solution ended."""

    status: CheckStatus
    num_passed: Int32 = 0
    num_checks: Int32 = 0
    """Tests or votes that there are; 0 if none was begun."""
    outcomes: tuple[str, ...] = ()
    """[num_checks] what each gave: `passed`, `failed`, `timeout`, `not_run` and the like."""
    message: str | None = None
    """The first reason for not passing, or a remark; at most 500 characters."""
