"""Proofs of the theorem in a problem's check, by Coq.

The text is the proof alone, bare or in a fenced block. A proof that needs more processor seconds or
memory than its limits is not one. Without the checker or the sandbox every proof is ungraded, as is
one that a busy machine gave too little time. What the machine is the reason of is asked again.
"""

from functools import lru_cache

from schemas.graders import ProofGraderConfig
from schemas.rows import CheckResult, Problem
from tasks.graders.base import Grade, Incomparable
from tasks.graders.coq_checker import check_coq, check_coq_statement, coq_fault, coq_version
from tasks.graders.coq_text import find_proof
from tasks.graders.proof_tasks import PASSING, UNDECIDED, Theorem, checked, read_theorem
from tasks.sandbox import Limits

_RULES = 2


class ProofGrader(Incomparable):
    """Has a checker compile each proof, and caches what it said."""

    def __init__(self, config: ProofGraderConfig) -> None:
        """A grader named after its checker, that one's version and limits; nothing is started."""
        self.name = (
            f"proof-{config.checker}-{coq_version()}+rules-{_RULES}"
            f"+{config.timeout_s}s+{config.memory_mb}mb"
        )
        self._limits = Limits(cpu_s=config.timeout_s, memory_mb=config.memory_mb)
        self._checked = lru_cache(config.cache_size)(self._run)
        self._stated = lru_cache(config.cache_size)(self._run_statement)

    def grade(self, text: str, problem: Problem) -> Grade:
        """Judge a proof; a theorem that cannot be read, or a checker that cannot run, is null."""
        proof = find_proof(text)
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
        if fault := coq_fault():
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
            return coq_fault() or self._fault(theorem)
        except _Undecided as error:
            return error.said.message or error.said.status

    def close(self) -> None:
        """Nothing stays open."""

    def _fault(self, theorem: Theorem) -> str | None:
        said = self._stated(theorem)
        return None if said.status == "passed" else said.message or said.status

    def _run(self, theorem: Theorem, proof: str) -> CheckResult:
        return _decided(check_coq(theorem, proof, self._limits))

    def _run_statement(self, theorem: Theorem) -> CheckResult:
        return _decided(check_coq_statement(theorem, self._limits))


class _Undecided(Exception):
    """The machine kept a checker from deciding; as an exception, it is not cached."""

    def __init__(self, said: CheckResult) -> None:
        super().__init__(said.status)
        self.said = said


def _decided(said: CheckResult) -> CheckResult:
    if said.status in PASSING:
        raise _Undecided(said)
    return said
