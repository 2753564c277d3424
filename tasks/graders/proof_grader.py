"""Proofs of the theorem in a problem's check, by Coq or Lean.

The text is the proof alone, bare or in a fenced block. A proof that needs more processor seconds or
memory than its limits is not one. Without the checker or the sandbox every proof is ungraded, as is
one that a busy machine gave too little time. What the machine is the reason of is asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

from schemas.graders import ProofGraderConfig
from schemas.rows import CheckResult, Problem
from tasks.graders.base import Grade, Incomparable
from tasks.graders.coq_checker import check_coq, check_coq_statement, coq_fault, coq_version
from tasks.graders.coq_text import find_proof
from tasks.graders.lean_checker import check_lean, check_lean_statement, lean_fault, lean_version
from tasks.graders.lean_text import find_lean_proof
from tasks.graders.proof_tasks import PASSING, UNDECIDED, Theorem, checked, read_theorem
from tasks.sandbox import Limits


@dataclass(frozen=True, slots=True)
class _Checker:
    """What checks proofs on this machine."""

    version: str
    rules: int
    """Changes with what is refused unread."""
    fault: Callable[[], str | None]
    """Why it cannot check here and what to install, or None."""
    find: Callable[[str], str]
    check: Callable[[Theorem, str, Limits], CheckResult]
    check_statement: Callable[[Theorem, Limits], CheckResult]


def checker_fault(config: ProofGraderConfig) -> str | None:
    """Say why this machine lacks a grader's checker and what to install, or None."""
    return _checker(config).fault()


def _checker(config: ProofGraderConfig) -> _Checker:
    if config.checker == "coq":
        return _Checker(coq_version(), 2, coq_fault, find_proof, check_coq, check_coq_statement)
    return _Checker(
        lean_version(config.project),
        1,
        partial(lean_fault, config.project),
        find_lean_proof,
        partial(check_lean, project=config.project),
        partial(check_lean_statement, project=config.project),
    )


class ProofGrader(Incomparable):
    """Has a checker compile each proof, and caches what it said."""

    def __init__(self, config: ProofGraderConfig) -> None:
        """A grader named after its checker, that one's version and limits; nothing is started."""
        self._checker = checker = _checker(config)
        self.name = (
            f"proof-{config.checker}-{checker.version}+rules-{checker.rules}"
            f"+{config.timeout_s}s+{config.memory_mb}mb"
        )
        self._limits = Limits(cpu_s=config.timeout_s, memory_mb=config.memory_mb)
        self._checked = lru_cache(config.cache_size)(self._run)
        self._stated = lru_cache(config.cache_size)(self._run_statement)

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge a proof; a theorem that cannot be read, or a checker that cannot run, is null."""
        proof = self._checker.find(text)
        if not proof:
            return Grade(None, False, checked("missing"))
        said = self.check(proof, problem)
        return Grade(proof, None if said.status in UNDECIDED else said.status == "passed", said)

    def check(self, proof: str, problem: Problem) -> CheckResult:
        """What the checker says about a proof."""
        try:
            theorem = read_theorem(problem)
        except ValueError as error:
            return checked("bad_check", str(error))
        if fault := self._checker.fault():
            return checked("sandbox_down", fault)
        try:
            said = self._checked(theorem, proof)
            if said.status == "failed" and (fault := self._fault(theorem)) is not None:
                return checked("bad_check", fault)
        except _Undecided as error:
            return error.said
        return said

    def check_gold(self, problem: Problem) -> str | None:
        """Say why the theorem cannot be asked: no statement, or one that does not parse."""
        try:
            theorem = read_theorem(problem)
        except ValueError as error:
            return str(error)
        try:
            return self._checker.fault() or self._fault(theorem)
        except _Undecided as error:
            return error.said.message or error.said.status

    def close(self) -> None:
        """Nothing stays open."""

    def _fault(self, theorem: Theorem) -> str | None:
        said = self._stated(theorem)
        return None if said.status == "passed" else said.message or said.status

    def _run(self, theorem: Theorem, proof: str) -> CheckResult:
        return _decided(self._checker.check(theorem, proof, self._limits))

    def _run_statement(self, theorem: Theorem) -> CheckResult:
        return _decided(self._checker.check_statement(theorem, self._limits))


class _Undecided(Exception):
    """The machine kept a checker from deciding; as an exception, it is not cached."""

    def __init__(self, said: CheckResult) -> None:
        super().__init__(said.status)
        self.said = said


def _decided(said: CheckResult) -> CheckResult:
    if said.status in PASSING:
        raise _Undecided(said)
    return said
