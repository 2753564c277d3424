"""A sampled set in a store, made without an engine's process: for tests of lines over programs and
proofs."""

import asyncio
from collections.abc import Sequence

from schemas.rows import PROBLEMS, TRAJECTORIES, Problem, Trajectory
from schemas.sampling import SamplingJob
from schemas.units import Unit
from storage import Store
from storage.runs import recorded_run
from tasks.engines.base import Engine
from tasks.graders import Grader
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problem


def write_sampled(
    store: Store, job: SamplingJob, problems: Sequence[Problem], engine: Engine, grader: Grader
) -> list[Trajectory]:
    """Commit problems and their solutions as the set `train` of the run `run`; the solutions."""
    prompt_format = make_prompt_format(job.prompt, job.policy)

    async def sample() -> list[Trajectory]:
        return [
            row
            for problem in problems
            for row in await sample_problem(
                problem, engine, grader, prompt_format, job, scope="run/sampling"
            )
        ]

    rows = asyncio.run(sample())
    with recorded_run(store, "run", "sampling", job, part="train"):
        for stage, name, table, each in (
            ("problems", "train", PROBLEMS, problems),
            ("sampling", "train.00000", TRAJECTORIES, rows),
        ):
            store.commit(Unit(run_id="run", stage=stage, name=name, table=table.name), each)
    return rows


def text_of(row: Trajectory) -> str:
    """The text of all steps."""
    return "".join(step.text for step in row.steps)
