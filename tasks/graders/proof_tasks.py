"""What a problem's check says about a theorem, and what a checker says about a proof of it.

The check is a JSON object: `statement` (a proposition), and if needed `header` (commands before it
that load and open libraries), `definitions` (commands that define what the statement speaks of) and
`axioms` (names of axioms that a proof may use).
"""

import json
from dataclasses import dataclass
from typing import Any

from schemas.rows import CheckResult, CheckStatus, Problem


@dataclass(frozen=True, slots=True)
class Theorem:
    """What is to be proved."""

    statement: str
    header: str = ""
    definitions: str = ""
    axioms: tuple[str, ...] = ()


UNDECIDED: tuple[CheckStatus, ...] = ("bad_check", "sandbox_down", "undecided")
"""What says nothing about a proof."""
PASSING: tuple[CheckStatus, ...] = ("sandbox_down", "undecided")
"""What may be otherwise at the next try: the machine is the reason."""


def checked(status: CheckStatus, message: str = "") -> CheckResult:
    """A proof is one check; it is passed or not."""
    return CheckResult(
        status=status,
        num_passed=int(status == "passed"),
        num_checks=0 if status in UNDECIDED else 1,
        outcomes=() if status in UNDECIDED else (status,),
        message=message[:500] or None,
    )


def read_theorem(problem: Problem) -> Theorem:
    """The theorem of a problem's check.

    Raises:
        ValueError: there is no check, or it is not a theorem.
    """
    if problem.check is None:
        raise ValueError('expected a check such as {"statement": "True"}, got none')
    try:
        check = json.loads(problem.check)
    except ValueError as error:
        raise ValueError(f"expected a check in JSON, got {problem.check[:60]!r}") from error
    if not isinstance(check, dict):
        raise ValueError(f'expected a check such as {{"statement": "True"}}, got {check!r:.60}')
    texts: dict[str, Any] = {"statement": check.get("statement")}
    texts |= {name: check.get(name) or "" for name in ("header", "definitions")}
    for name, text in texts.items():
        if not isinstance(text, str) or (name == "statement" and not text.strip()):
            raise ValueError(f"expected `{name}` of a check to be text, got {text!r:.60}")
    axioms = check.get("axioms") or []
    if not isinstance(axioms, list) or not all(isinstance(name, str) for name in axioms):
        raise ValueError(f"expected `axioms` of a check to be a list of names, got {axioms!r:.60}")
    return Theorem(**texts, axioms=tuple(axioms))
