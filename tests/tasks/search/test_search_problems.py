import asyncio

import pytest

from schemas.engines import MarkovConfig
from schemas.errors import EngineFailed
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, TRAJECTORIES
from schemas.search import ScoreConfig, SearchJob
from schemas.search.strategies import BeamConfig, DvtsConfig, MajorityConfig
from storage import Store
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Counters, Host, UnitContext
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.search.search import SearchTask, search_problems, search_seed
from tasks.search.task import decide_unit

CHAIN = MarkovConfig(num_steps=3, p_right=0.7, p_recover=0.0)
CELL = "eval.beam-n4-421984db8386"


def make_task(strategy=None, *, budget: int = 4, **fields: object) -> SearchTask:
    strategy = strategy or BeamConfig(width=2)
    values = {
        "problems": WorldProblemsConfig(),
        "policy": CHAIN,
        "verifier": CHAIN,
        "prompt": {"template": "{question}"},
        "grader": ExactGraderConfig(),
        "strategies": (strategy,),
        "budgets": (budget,),
        "score": ScoreConfig(by="verifier", reduction="last"),
        **fields,
    }
    job = SearchJob.model_validate(values)
    return SearchTask(job=job, strategy=strategy, budget=budget, scope="run/search/cell")


@pytest.fixture
def units(store: Store, unit_of, make_problem):
    """The problems file, and a unit over some of its rows."""
    problems = markov_problems(5, seed=0)
    problems.insert(2, make_problem("stray", question="How many?"))
    problems_unit = unit_of(PROBLEMS.name, stage="problems", name="eval")
    store.commit(problems_unit, problems, seconds=0.0)

    def make(name: str = f"{CELL}.00000", rows: tuple[int, int] = (0, 6)):
        return unit_of(
            TRAJECTORIES.name, stage="search", name=name, inputs=(problems_unit.path,), rows=rows
        )

    return problems, make


def search(store: Store, unit, task: SearchTask):
    host = Host(store.url, EngineSet(policy=task.job.policy, verifier=task.job.verifier))

    async def run():
        try:
            return await host.run(unit, search_problems, {CELL: task})
        finally:
            await host.close()

    return asyncio.run(run())


def test_a_problem_that_is_refused_does_not_hold_back_the_others(store, units):
    problems, make_unit = units
    receipt = search(store, make_unit(), make_task())
    rows = store.read(receipt.path)
    assert list(dict.fromkeys(row.problem_id for row in rows)) == [p.problem_id for p in problems]
    stray = [row for row in rows if row.problem_id == "stray"]
    assert {row.status for row in stray} == {"error"}
    assert len(stray) == 4
    assert receipt.num_errors == 4
    assert all(row.status in ("finished", "pruned") for row in rows if row not in stray)
    assert receipt.generated_tokens == sum(row.generated_tokens for row in rows)
    assert receipt.scored_tokens == sum(row.scored_tokens for row in rows)
    assert {(row.strategy, row.budget) for row in rows} == {("beam[width=2] by verifier[last]", 4)}


def test_a_unit_makes_the_rows_that_other_cuts_of_the_problems_make(store, units):
    _, make_unit = units
    whole = store.read(search(store, make_unit(), make_task()).path)
    parts = [
        row
        for index, rows in enumerate([(0, 2), (2, 6)])
        for row in store.read(
            search(store, make_unit(f"{CELL}.0001{index}", rows), make_task()).path
        )
    ]

    def told(rows):
        return [(row.trajectory_id, row.steps, row.seed, row.status, row.reason) for row in rows]

    assert told(whole) == told(parts)


def test_budgets_strategies_and_seeds_draw_anew():
    tasks = [
        make_task(),
        make_task(budget=8),
        make_task(BeamConfig(width=4)),
        make_task(DvtsConfig(width=2)),
        make_task(seed=1),
        make_task(set_name="train"),
    ]
    seeds = {search_seed(task, problem_id) for task in tasks for problem_id in ("p0", "p1")}
    assert len(seeds) == 12
    assert search_seed(make_task(), "p0") == search_seed(make_task(), "p0")


def test_a_dead_engine_ends_the_unit(store, units):
    class DeadEngine(MarkovEngine):
        async def generate(self, request):
            raise EngineFailed("gone")

    _, make_unit = units
    engine = DeadEngine(CHAIN)
    context = UnitContext(store, {"policy": engine, "verifier": engine}, Counters())
    with pytest.raises(EngineFailed, match="gone"):
        asyncio.run(search_problems(make_unit(), {CELL: make_task()}, context))


def test_strategies_without_a_verifier_need_none_in_the_pool(store, units):
    _, make_unit = units
    receipt = search(store, make_unit(), make_task(MajorityConfig(), verifier=None))
    rows = store.read(receipt.path)
    assert {row.verifier for row in rows} == {None}
    assert receipt.scored_tokens == 0


def test_a_unit_of_trees_is_decided_once(store, units, unit_of):
    problems, make_unit = units
    task = make_task()
    trees = search(store, make_unit(), task)
    unit = unit_of(
        "decisions",
        stage="search",
        name=f"{CELL}.00000",
        inputs=(trees.path, make_unit().inputs[0]),
    )
    receipt = decide_unit.fn(store.url, unit, task)
    decisions = store.read(receipt.path)
    mains = [decision for decision in decisions if decision.is_main]
    assert [decision.problem_id for decision in mains] == [p.problem_id for p in problems]
    assert [d.status for d in mains] == ["decided"] * 2 + ["error"] + ["decided"] * 3
    finished = {row.trajectory_id: row for row in store.read(trees.path)}
    for decision in mains:
        if decision.trajectory_id is not None:
            assert decision.correct == finished[decision.trajectory_id].correct
    right = {
        row.problem_id for row in finished.values() if row.correct and row.status == "finished"
    }
    assert {d.problem_id for d in mains if d.correct} == right
    again = decide_unit.fn(store.url, unit, task)
    assert again.was_there
    assert again.num_rows == receipt.num_rows
