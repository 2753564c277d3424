"""Proofs of the theorem in a problem's check, by Coq.

The text is the proof alone, bare or in a fenced block. A proof that does not end within its limits
is not one. Without the checker or the sandbox every proof is ungraded.
"""

from functools import lru_cache

from schemas.graders import ProofGraderConfig
from schemas.rows import CheckResult, Problem
from tasks.graders.base import Grade, Incomparable
from tasks.graders.coq_checker import check_coq, check_coq_statement, coq_fault, coq_version
from tasks.graders.coq_text import find_proof
from tasks.graders.proof_tasks import UNDECIDED, Theorem, checked, read_theorem
from tasks.sandbox import Limits

_RULES = 1


class ProofGrader(Incomparable):
    """Has a checker compile each proof, and caches what it said."""

    def __init__(self, config: ProofGraderConfig) -> None:
        """Make a grader named after its checker and that one's version; nothing is started."""
        self.name = f"proof-{config.checker}-{coq_version()}+rules-{_RULES}"
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
        said = self._checked(theorem, proof)
        if said.status == "failed" and (fault := self._stated(theorem)) is not None:
            return checked("bad_check", fault)
        return said

    def check_gold(self, problem: Problem) -> str | None:
        """Say why the theorem cannot be asked: no statement, or one that does not parse."""
        try:
            theorem = read_theorem(problem)
        except ValueError as error:
            return str(error)
        return coq_fault() or self._stated(theorem)

    def close(self) -> None:
        """Nothing stays open."""

    def _run(self, theorem: Theorem, proof: str) -> CheckResult:
        return check_coq(theorem, proof, self._limits)

    def _run_statement(self, theorem: Theorem) -> str | None:
        return check_coq_statement(theorem, self._limits)
