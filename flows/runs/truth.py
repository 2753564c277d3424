"""The known truth about steps: the exact checker of the built-in world."""

from collections.abc import Sequence

from schemas.rows import Problem
from storage import Store
from tasks.evaluation.solutions.truth import Kinds
from tasks.problems.load import WORLD_SOURCE
from tasks.world.checker import check_steps
from tasks.world.problems import parse_question


def known_kinds(store: Store, path: str) -> Kinds | None:
    """The exact checker of a file of problems; None unless all are of the built-in world.

    The source alone does not decide: any imported file may be called `world`.
    """
    problems: list[Problem] = store.read(path)
    if any(problem.source != WORLD_SOURCE for problem in problems):
        return None
    try:
        for problem in problems:
            parse_question(problem.question)
    except ValueError:
        return None
    return check_kinds


def check_kinds(question: str, steps: Sequence[str]) -> Sequence[str]:
    """The built-in world's exact verdict on each step, and what is wrong with it."""
    return check_steps(parse_question(question), steps).kinds
