"""Rows of a file as rows of the store: `trajectories`, graded, and their `step_scores`.

What a file does not give is 0: tokens, temperature, top_p and seed. `engine` is `import`, which
distinguishes these rows from sampled ones; no sampled row has a top_p of 0. A solution counts as
finished. Solutions of labelled sets are not graded: they are right or wrong if their set says so.
"""

import asyncio
from collections.abc import Iterable, Sequence

from schemas.imports import ImportsJob
from schemas.rows import Problem, Step, StepScores, Trajectory, now
from schemas.units import Unit, derive_id
from tasks.graders import Grade, Grader, grade_all
from tasks.imports.rows import ImportedRow
from tasks.steps.segmentation import split_steps
from tasks.thinking.thoughts import Thoughts

STRATEGY = "imported"
ENGINE = "import"
UNSCORED = "the file gives no score"


async def grade_rows(
    rows: Sequence[ImportedRow], unit: Unit, job: ImportsJob, grader: Grader
) -> list[Trajectory]:
    """A trajectory per response, in the order of the rows."""
    thoughts = job.prompt.thinking and Thoughts.of(job.prompt.thinking)
    grades = await asyncio.gather(*(_grade_row(row, thoughts, grader) for row in rows))
    return [
        _to_trajectory(row, index, grade, unit, job, grader.name)
        for row, of_row in zip(rows, grades, strict=True)
        for index, grade in enumerate(of_row)
    ]


def find_unusable_checks(problems: Iterable[Problem], grader: Grader) -> list[str]:
    """A line for each problem whose tests, or whatever else checks its solutions, are faulty."""
    found = [(each, grader.check_gold(each)) for each in problems if each.check is not None]
    return [f"problem {each.problem_id} stays ungraded: {why}" for each, why in found if why]


def collect_scores(rows: Sequence[ImportedRow], unit: Unit, job: ImportsJob) -> list[StepScores]:
    """A row of scores per response, in the order of the rows; one without a score says so."""
    return [
        StepScores(
            trajectory_id=imported_id(row, index, unit, job),
            verifier=job.verifier_name,
            scores=scores or (),
            scored_tokens=0,
            cached_tokens=0,
            error=UNSCORED if scores is None else None,
        )
        for row in rows
        for index, scores in enumerate(row.scores)
    ]


def imported_id(row: ImportedRow, index: int, unit: Unit, job: ImportsJob) -> str:
    """The id of the trajectory of a row's response."""
    scope = f"{unit.run_id}/{unit.stage}"
    return derive_id(scope, job.set_name, row.problem.problem_id, row.first_index + index)


async def _grade_row(
    row: ImportedRow, thoughts: Thoughts | None, grader: Grader
) -> Sequence[Grade]:
    if row.labelled:
        return [Grade(solution.answer, solution.correct) for solution in row.labelled]
    return await grade_all(grader, _answers(row.responses, thoughts), row.problem)


def _answers(texts: Sequence[str], thoughts: Thoughts | None) -> Sequence[str]:
    """The texts as the grader reads them: without thoughts."""
    return texts if thoughts is None else [thoughts.answer(text) for text in texts]


def _with_separators(steps: Sequence[str], separator: str) -> list[str]:
    return [*(step + separator for step in steps[:-1]), steps[-1]]


def _to_trajectory(
    row: ImportedRow, index: int, grade: Grade, unit: Unit, job: ImportsJob, grader: str
) -> Trajectory:
    solution = row.labelled[index] if row.labelled else None
    texts = (
        split_steps(row.responses[index], job.prompt.step_rule)
        if solution is None
        else _with_separators(solution.steps, job.prompt.separator)
    )
    return Trajectory(
        trajectory_id=imported_id(row, index, unit, job),
        problem_id=row.problem.problem_id,
        policy=job.policy_name,
        strategy=STRATEGY,
        sample_index=row.first_index + index,
        status="finished",
        steps=tuple(Step(text=text, num_tokens=0) for text in texts),
        answer=grade.answer,
        correct=grade.correct,
        check_result=grade.check,
        grader=grader if solution is None else STRATEGY,
        temperature=0.0,
        top_p=0.0,
        seed=0,
        prompt_tokens=0,
        cached_tokens=0,
        generated_tokens=0,
        engine=ENGINE,
        created_at=now(),
        reason=None if solution is None else solution.reason,
    )
