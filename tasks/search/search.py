"""Search problems and keep their whole trees as `trajectories` rows.

All problems of a unit are searched concurrently, each by its own coroutine, so the engines' batches
fill up and a slow problem does not delay the others. Reads a range of a problems file.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.rows import ModelRole, Problem, Trajectory
from schemas.search import SearchJob
from schemas.search.strategies import Strategy
from schemas.unit_names import TreesName
from schemas.units import Unit, derive_seed
from tasks.engines.base import Engine
from tasks.engines.host import UnitContext
from tasks.models.recommended import with_recommended
from tasks.prompts.formats import PromptFormat, make_prompt_format
from tasks.search.answers import Answers
from tasks.search.context import SearchContext
from tasks.search.documents import begin_search
from tasks.search.rows import make_rows
from tasks.search.strategies.registry import STRATEGIES
from tasks.tools.engine import with_tools


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTask:
    """The parameters shared by the units of one strategy at one budget."""

    job: SearchJob
    strategy: Strategy
    budget: int
    scope: str
    """The scope in which ids of rows are unique."""


SearchPlan = Mapping[str, SearchTask]
"""Tasks by the cell in a unit's name."""


async def search_problems(unit: Unit, plan: SearchPlan, context: UnitContext) -> list[Trajectory]:
    """The trees of the unit's problems, in the order of the problems."""
    problems: Sequence[Problem] = await context.read(unit.inputs[0], unit.rows)
    task = plan[str(TreesName.parse(unit.name).cell)]
    job = task.job
    shared = SearchContext(
        engines=_engines(job, task.strategy, context),
        prompt_formats=_prompt_formats(job, task.strategy),
        limits=with_recommended(job.limits, job.policy),
        score=job.score,
        needs_likelihood=job.needs_likelihood(task.strategy),
        counters=context.counters,
        retrieval=job.retrieval,
    )
    grader = context.grader(job.grader)

    async def search_one(problem: Problem) -> list[Trajectory]:
        search = await begin_search(
            problem.question,
            task.budget,
            shared,
            seed=search_seed(task, problem.problem_id),
            answers=Answers(grader, problem),
            retrieves_itself=task.strategy.needs_documents,
        )
        candidates = await STRATEGIES[type(task.strategy)](search, task.strategy)
        rows = await make_rows(
            search,
            candidates,
            problem=problem,
            strategy=job.label(task.strategy),
            grader=grader,
            scope=task.scope,
        )
        context.counters.rows += len(rows)
        return rows

    found = await asyncio.gather(*(search_one(problem) for problem in problems))
    return [row for rows in found for row in rows]


def _engines(job: SearchJob, strategy: Strategy, context: UnitContext) -> dict[ModelRole, Engine]:
    """The engines of a strategy by role; the policy's for a role that it stands in for."""
    found = dict.fromkeys(strategy.optional_roles, context.engine("policy"))
    if job.retrieval is not None:
        found["retriever"] = context.engine("retriever")
    found |= {role: context.engine(role) for role in job.engines(strategy)}
    if "policy" in found:
        found["policy"] = with_tools(found["policy"], job.prompt)
    return found


def _prompt_formats(job: SearchJob, strategy: Strategy) -> dict[ModelRole, PromptFormat]:
    """The prompt format of each model that a strategy prompts.

    The policy is asked without its own task's words where it stands in for another role.
    """
    stands_in = make_prompt_format(job.prompt.for_other_tasks(), job.policy)
    formats: dict[ModelRole, PromptFormat] = dict.fromkeys(strategy.optional_roles, stands_in)
    formats["policy"] = make_prompt_format(job.prompt, job.policy)
    for role, asked in job.roles_of(strategy).items():
        formats[role] = make_prompt_format(asked.prompt, asked.engine)
    return formats


def search_seed(task: SearchTask, problem_id: str) -> int:
    """The seed of one problem's search."""
    job = task.job
    label = job.label(task.strategy)
    return derive_seed(job.seed, job.set_name, problem_id, label, task.budget)
