"""A critique's text as a row, and as an actor reads it."""

from schemas.critique_formats import CritiqueFormatConfig
from schemas.rows import Critique, Problem, Trajectory, now
from schemas.units import derive_id
from tasks.critics.asking import ShownSolution
from tasks.critics.reading import leaks_answer, read_critique
from tasks.prompts.formats import PromptFormat

CHECKER = "checker"
"""The id of the exact checker as a critic, and the `engine` of its rows."""
LABELS = "labels"
"""The `engine` of critiques that step labels were made into."""
FIXED = "fixed"
"""The id of the critic that always says the same, and the `engine` of its rows."""


def critique_row(
    text: str,
    problem: Problem,
    solution: Trajectory,
    *,
    format: CritiqueFormatConfig,
    scope: str,
    critic: str,
    engine: str,
    index: int = 0,
) -> Critique:
    """The row of a finished critique by one who was told nothing and drew nothing.

    Args:
        text: the critique, without thoughts.
        problem: whose solution it is about.
        solution: the solution.
        format: how critiques are written.
        scope: ids are unique within it.
        critic: the id of what wrote it.
        engine: the value of the `engine` column.
        index: among the critiques of the solution.
    """
    shown = ShownSolution.of(solution)
    reading = read_critique(text, len(shown.steps), format)
    first_error = reading.first_error
    return Critique(
        critique_id=derive_id(scope, solution.trajectory_id, index),
        trajectory_id=solution.trajectory_id,
        problem_id=problem.problem_id,
        critic=critic,
        told="nothing",
        sample_index=index,
        status="finished",
        fault=reading.fault,
        text=text,
        steps=reading.steps,
        first_error=None if first_error is None else first_error + shown.num_hidden,
        verdict=reading.verdict,
        leaks=leaks_answer(text, problem.answer or "", problem.question, *shown.steps),
        temperature=0.0,
        seed=0,
        round=solution.round,
        engine=engine,
        created_at=now(),
    )


def spoken(critique: Critique, prompt_format: PromptFormat) -> str:
    """What an actor reads of a critique: the text without thoughts, which only a model has.

    Args:
        critique: by a model, or by what is none.
        prompt_format: how a model that critiques was prompted.
    """
    if critique.engine in (CHECKER, LABELS, FIXED):
        return critique.text
    (text,) = prompt_format.answers([critique.text])
    return text
