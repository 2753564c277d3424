"""Is this answer right? One grader per kind of answer, built from its config."""

import asyncio
from collections.abc import Sequence

from schemas.graders import ExactGraderConfig, GraderConfig, PlantedGraderConfig
from tasks.graders.base import Grade, Grader
from tasks.graders.exact_grader import ExactGrader
from tasks.graders.extraction import extract_answer, gold_from_solution
from tasks.graders.math_grader import MathGrader
from tasks.graders.planted_grader import PlantedGrader

__all__ = ["Grade", "Grader", "extract_answer", "gold_from_solution", "grade_all", "make_grader"]


def make_grader(config: GraderConfig) -> Grader:
    """Build the grader a config describes; nothing heavy is loaded before it is needed."""
    if isinstance(config, ExactGraderConfig):
        return ExactGrader(config)
    if isinstance(config, PlantedGraderConfig):
        return PlantedGrader()
    return MathGrader(config)


async def grade_all(grader: Grader, texts: Sequence[str], gold: str) -> list[Grade]:
    """Grade texts against one gold answer without holding up the event loop, in order.

    A gold answer that is a plain number is compared in microseconds, here; anything else may
    take a second, on another thread.
    """
    if gold.lstrip("-").isdigit():
        return [grader.grade(text, gold) for text in texts]
    return await asyncio.to_thread(lambda: [grader.grade(text, gold) for text in texts])
