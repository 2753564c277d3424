"""What a problem's check says about a theorem, and what a checker says about a proof of it.

The check is a JSON object: `statement` (a proposition), and if needed `header` (commands before it
that load and open libraries), `definitions` (commands that define what the statement speaks of) and
`axioms` (names of axioms that a proof may use). A theorem as Lean benchmarks have it,
`formal_statement` with its binders and `:= by sorry`, is read as well.
"""

import json
import re
from dataclasses import dataclass

from schemas.rows import Problem

_THEOREM = re.compile(r"\A\s*(?:theorem|lemma|example)\s+(?:[^\s:({\[]+\s*)?(?=[:({\[])")
_OPEN_PROOF = re.compile(r":=\s*(?:by\s*)?(?:sorry\s*)?\Z")


@dataclass(frozen=True, slots=True)
class Theorem:
    """What is to be proved."""

    statement: str
    header: str = ""
    definitions: str = ""
    axioms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """What a checker said: `passed`, `failed`, `refused`, `timeout`, `memory` or `output`; or
    `bad_check` or `sandbox_down`, which say nothing about the proof."""

    status: str
    message: str = ""

    @property
    def correct(self) -> bool | None:
        """Whether the proof is one; None where the checker did not decide that."""
        return None if self.status in ("bad_check", "sandbox_down") else self.status == "passed"


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
    statement = check.get("statement")
    if statement is None and isinstance(formal := check.get("formal_statement"), str):
        statement = _read_formal(formal)
    texts = {"statement": statement}
    texts |= {name: check.get(name) or "" for name in ("header", "definitions")}
    for name, text in texts.items():
        if not isinstance(text, str) or (name == "statement" and not text.strip()):
            raise ValueError(f"expected `{name}` of a check to be text, got {text!r:.60}")
    axioms = check.get("axioms") or []
    if not isinstance(axioms, list) or not all(isinstance(name, str) for name in axioms):
        raise ValueError(f"expected `axioms` of a check to be a list of names, got {axioms!r:.60}")
    return Theorem(**texts, axioms=tuple(axioms))


def _read_formal(formal: str) -> str:
    """`theorem t (n : Nat) : P := by sorry` as `∀ (n : Nat), P`.

    Raises:
        ValueError: it is not a theorem whose proof is open.
    """
    found, end = _THEOREM.match(formal), _OPEN_PROOF.search(formal)
    if found is None or end is None:
        raise ValueError(f"expected `theorem name : P := by sorry`, got {formal[:60]!r}")
    body = formal[found.end() : end.start()].strip()
    depth = 0
    for at, character in enumerate(body):
        depth += (character in "({[⦃") - (character in ")}]⦄")
        if character == ":" and not depth:
            binders, claim = body[:at].strip(), body[at + 1 :].strip()
            return f"∀ {binders}, {claim}" if binders else claim
    raise ValueError(f"expected `theorem name : P := by sorry`, got {formal[:60]!r}")
