"""Whether a solution is right: one grader per kind of check, built from its config.

A new kind is a config in `schemas/graders.py`, a file beside these, and a line in `GRADERS`.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from schemas.base import FrozenConfig
from schemas.graders import (
    BehaviourGraderConfig,
    EnsembleGraderConfig,
    ExactGraderConfig,
    GraderConfig,
    MathGraderConfig,
    PlantedGraderConfig,
    ProgramGraderConfig,
    ProofGraderConfig,
    members_of,
)
from schemas.judging import JudgeGraderConfig
from schemas.rows import Problem
from tasks.graders.base import Grade, Grader
from tasks.graders.behaviour_grader import BehaviourGrader
from tasks.graders.ensemble_grader import EnsembleGrader
from tasks.graders.exact_grader import ExactGrader
from tasks.graders.extraction import extract_answer, gold_from_solution
from tasks.graders.judge_grader import JudgeGrader
from tasks.graders.math_grader import MathGrader
from tasks.graders.planted_grader import PlantedGrader
from tasks.graders.program_grader import ProgramGrader
from tasks.graders.proof_grader import ProofGrader, checker_fault
from tasks.sandbox import sandbox_fault

__all__ = [
    "GRADERS",
    "Grade",
    "Grader",
    "extract_answer",
    "gold_from_solution",
    "grade_all",
    "grader_fault",
    "has_votes",
    "make_grader",
]


class _GraderClass(Protocol):
    """Makes a grader from its config."""

    comparable: bool

    def __call__(self, config: Any, /, *members: Any) -> Grader: ...


GRADERS: dict[type[FrozenConfig], _GraderClass] = {
    MathGraderConfig: MathGrader,
    ExactGraderConfig: ExactGrader,
    PlantedGraderConfig: PlantedGrader,
    ProgramGraderConfig: ProgramGrader,
    BehaviourGraderConfig: BehaviourGrader,
    ProofGraderConfig: ProofGrader,
    JudgeGraderConfig: JudgeGrader,
    EnsembleGraderConfig: EnsembleGrader,
}

MACHINE_FAULTS: dict[type[FrozenConfig], Callable[[Any], str | None]] = {
    ProgramGraderConfig: lambda _: sandbox_fault(),
    BehaviourGraderConfig: lambda _: sandbox_fault(),
    ProofGraderConfig: checker_fault,
}
"""For the graders that need more than this package: what says why the machine lacks it."""


def grader_fault(config: GraderConfig) -> str | None:
    """Say why this machine cannot grade so and what to install, or None."""
    for member in members_of(config):
        find = MACHINE_FAULTS.get(type(member))
        if find is not None and (fault := find(member)) is not None:
            return f"grader {member.type}: {fault}"
    return None


def make_grader(config: GraderConfig) -> Grader:
    """Build the grader a config describes; nothing heavy is loaded before it is needed."""
    if isinstance(config, EnsembleGraderConfig):
        return EnsembleGrader(config, [make_grader(member) for member in config.graders])
    return GRADERS[type(config)](config)


def has_votes(config: GraderConfig) -> bool:
    """Whether the answers that a grader judges can be compared, and so counted as votes."""
    return GRADERS[type(config)].comparable


async def grade_all(grader: Grader, texts: Sequence[str], problem: Problem) -> list[Grade]:
    """Grade texts of one problem in order, without blocking the event loop.

    Comparing with a gold answer that is a plain number takes microseconds and is done here;
    anything else may take a second and is done on another thread.
    """
    if problem.check is None and problem.answer.lstrip("-").isdigit():
        return [grader.grade(text, problem) for text in texts]
    return await asyncio.to_thread(lambda: [grader.grade(text, problem) for text in texts])
