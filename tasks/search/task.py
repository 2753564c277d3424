"""The search stage's Prefect tasks: trees of some problems, and the answers chosen from them."""

import time

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.units import Receipt, Unit
from storage import Store
from tasks.engines.task import unit_task
from tasks.graders import make_grader
from tasks.search.decide import decide
from tasks.search.search import SearchTask, search_problems

search_unit = unit_task(
    search_problems,
    name="search_unit",
    verb="search",
    description="Search one unit's problems.",
)


@task(task_run_name="decide {unit.name}", cache_policy=NO_CACHE, persist_result=False)
def decide_unit(root: str, unit: Unit, search_task: SearchTask) -> Receipt:
    """Choose the answer of every pick from one unit's trees.

    The unit's inputs are the file of trees and the file of problems.
    """
    store = Store(root)
    if store.has(unit):
        return store.receipt(unit)
    start = time.monotonic()
    trees, problems = (store.read(path) for path in unit.inputs)
    grader = make_grader(search_task.job.grader)
    try:
        rows = decide(
            problems, trees, job=search_task.job, strategy=search_task.strategy, grader=grader
        )
    finally:
        grader.close()
    return store.commit(unit, rows, seconds=time.monotonic() - start)
