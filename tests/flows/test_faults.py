"""What happens to a unit that fails and to its run, on a real Ray and a real Prefect."""

import errno
import os
from pathlib import Path

import pytest
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from schemas.engines import MarkovConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, Problem
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from storage import connect, query
from tasks.engines.engine_set import EngineSet
from tasks.engines.faults import RETRIES, is_worth_retrying
from tasks.engines.markov_engine import markov_problems
from tasks.engines.pool import open_pool

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]
NAMES = ("a", "b", "c", "d")
POLICY = MarkovConfig(num_steps=4, p_right=0.8)


async def work(unit, folder, context):
    """Make a row; fail as the file `<unit>` in the folder says, once for each of its lines."""
    plan = Path(folder) / unit.name
    lines = plan.read_text().split() if plan.exists() else []
    if lines:
        plan.write_text("\n".join(lines[1:]))
        (Path(folder) / f"tried-{unit.name}-{len(lines)}").touch()
        if lines[0] == "own":
            raise RuntimeError(f"{unit.name} cannot be done")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return [Problem(problem_id=unit.name, source="s", split="dev", question="q", answer="a")]


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    retries=RETRIES,
    retry_delay_seconds=0,
    retry_condition_fn=is_worth_retrying,
)
def work_unit(pool, unit, folder):
    return pool.run(unit, work, folder)


@pytest.fixture
def run_stage(store, tmp_path):
    """Run a stage of four units; `plans` says how often and why each fails before it succeeds."""
    from flows.runs.units import run_units, unit_runner

    folder = tmp_path / "plans"
    folder.mkdir()
    units = [Unit(run_id="run", stage="problems", name=name, table=PROBLEMS.name) for name in NAMES]

    @flow(task_runner=unit_runner())
    def stage():
        with open_pool(store.url, EngineSet(policy=POLICY), PoolConfig()) as pool:
            return run_units(
                work_unit, units, str(folder), store=store, pool=pool, total_rows=4, title="work"
            )

    def run(**plans):
        for name, plan in plans.items():
            (folder / name).write_text("\n".join(plan))
        return [Path(receipt.path).stem for receipt in stage()]

    return run


def ask(store, sql):
    return query(connect(store.url), sql).fetchall()


def test_a_unit_that_fails_by_itself_is_quarantined_and_the_others_go_on(run_stage, store, capsys):
    assert run_stage(b=["own"]) == ["a", "c", "d"]
    assert ask(
        store, "select unit, error_type, message, num_failures from quarantined order by unit"
    ) == [
        (
            "problems/run_id=run/stage=problems/b.parquet",
            "RuntimeError",
            "b cannot be done",
            1,
        )
    ]
    assert "raise RuntimeError" in ask(store, "select traceback from failures")[0][0]
    assert "quarantined problems/run_id=run/stage=problems/b.parquet" in capsys.readouterr().err
    # A later run tries it again; its failure stays in the table, not in the view.
    assert run_stage() == ["a", "b", "c", "d"]
    assert ask(store, "select * from quarantined") == []
    assert ask(store, "select count(*) from failures") == [(1,)]


def test_an_own_fault_is_not_retried_and_a_fault_of_the_machinery_is(run_stage, store, tmp_path):
    assert run_stage(a=["disk", "disk", "disk"], b=["own", "own"]) == ["a", "c", "d"]
    tried = sorted(path.name for path in (tmp_path / "plans").glob("tried-*"))
    assert tried == ["tried-a-1", "tried-a-2", "tried-a-3", "tried-b-2"]
    assert ask(store, "select count(*) from failures") == [(1,)]


def test_a_lasting_fault_of_the_machinery_stops_the_run_after_the_others(run_stage, store):
    from flows.runs.units import UnitsFailed

    with pytest.raises(UnitsFailed, match=r"1 of 4 units failed.*c\.parquet.*No space left"):
        run_stage(c=["disk"] * (RETRIES + 1))
    assert sorted(ask(store, "select problem_id from problems")) == [("a",), ("b",), ("d",)]
    assert ask(store, "select * from quarantined") == []
    assert run_stage() == ["a", "b", "c", "d"]


def test_a_stage_of_which_nothing_is_left_stops_the_run(run_stage, store):
    from flows.runs.units import UnitsFailed

    with pytest.raises(UnitsFailed, match="every unit failed"):
        run_stage(**{name: ["own"] for name in NAMES})
    assert ask(store, "select count(*) from quarantined") == [(4,)]


def test_the_stages_after_it_go_on_without_the_units_that_are_not_there(store):
    """Ten of thirty problems have no solutions; figures measured without them are redone later."""
    from flows.evaluation import evaluate
    from flows.sampling import sample

    problems = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(problems, markov_problems(30, seed=3))
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=POLICY,
        sampling=SamplingConfig(num_samples=8, max_tokens=10, trajectories_per_unit=80),
    )
    _, second, _ = sample(job, store.url, "run")
    (store.root / second).unlink()
    evaluation = EvaluationJob(policy=POLICY, evaluation=EvaluationConfig(budgets=(1, 8)))
    first_time = evaluate(evaluation, store.url, "run")
    measured = (
        "select num_problems from curves "
        "where strategy = 'pass' and budget = 8 and bin = 'all' and metric = 'accuracy'"
    )
    assert ask(store, measured) == [(20,)]
    sample(job, store.url, "run")
    assert evaluate(evaluation, store.url, "run") != first_time
    assert ask(store, measured) == [(30,)]
