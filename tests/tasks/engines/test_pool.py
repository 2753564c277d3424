"""Dead actors are replaced and their units redone; a unit that kills them does not stop others."""

import itertools
import os
import signal
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest

from schemas.engines import MarkovConfig, VLLMConfig
from schemas.errors import EngineFailed, ModelUnusable, StoreUnusable, UnitKilledItsActor
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, Problem
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from storage import Store
from tasks.engines.actor_pool import ActorPool
from tasks.engines.engine_set import EngineSet
from tasks.engines.markov_engine import markov_problems
from tasks.engines.pool import open_pool
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ENGINES = EngineSet(policy=MarkovConfig())


@pytest.fixture(autouse=True)
def importable_work(local_ray):
    """Let actors run functions defined in this file."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def make_pool(store):
    pools = []

    def make(engines=ENGINES, **fields):
        pools.append(ActorPool(store.url, engines, PoolConfig(**fields)))
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()


def unit_named(name, **fields):
    return Unit(run_id="run", stage="problems", name=name, table=PROBLEMS.name, **fields)


def problem_of(unit):
    return Problem(problem_id=unit.name, source="s", split="dev", question="q", answer="a")


async def make_row(unit, config, context):
    return [problem_of(unit)]


async def die_once(unit, pipe, context):
    """The first time, report this process's id to the test and never return."""
    import asyncio
    import pathlib

    if pathlib.Path(pipe).exists():
        with pathlib.Path(pipe).open("w") as line:
            line.write(str(os.getpid()))
        await asyncio.Event().wait()
    return [problem_of(unit)]


async def kill_when_poison(unit, deaths, context):
    """Die on one unit and write a line for each death; on any other, work for a moment."""
    import asyncio
    import pathlib

    if unit.name == "poison":
        with pathlib.Path(deaths).open("a") as lines:
            lines.write("died\n")
        os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.sleep(0.05)
    return [problem_of(unit)]


class TwoPartError(Exception):
    """Cannot be unpickled: it requires two arguments."""

    def __init__(self, what, where):
        super().__init__(f"{what} at {where}")


async def fail_in_two_parts(unit, config, context):
    raise TwoPartError("bad row", unit.name)


async def fail(unit, config, context):
    raise ValueError(f"{unit.name} cannot be done")


def _undated(row):
    return replace(row, created_at=datetime(2026, 1, 1, tzinfo=UTC))


def _most_cpus():
    import ray

    return ray.cluster_resources()["CPU"]


def test_a_killed_actor_is_replaced_and_its_unit_redone(store, make_pool, tmp_path):
    pool = make_pool(num_actors=1)
    pipe = tmp_path / "pid"
    os.mkfifo(pipe)
    unit = unit_named("u0")
    with ThreadPoolExecutor(1) as caller:
        receipt = caller.submit(pool.run, unit, die_once, str(pipe))
        pid = int(pipe.read_text())
        pipe.unlink()
        assert pid == pool.process_ids()[0]
        os.kill(pid, signal.SIGKILL)
        assert receipt.result(timeout=120).num_rows == 1
    assert store.read(unit.path) == [problem_of(unit)]
    assert pool.process_ids()[0] != pid
    assert pool.run(unit_named("u1"), make_row, None).num_rows == 1


def test_a_unit_that_fails_raises_its_own_error_and_others_go_on(store, make_pool):
    pool = make_pool(num_actors=1)
    with pytest.raises(ValueError, match="u0 cannot be done") as caught:
        pool.run(unit_named("u0"), fail, None)
    told = "".join(traceback.format_exception(caught.value))  # what the table `failures` keeps
    assert 'raise ValueError(f"{unit.name} cannot be done")' in told
    assert not store.has(unit_named("u0"))
    assert pool.run(unit_named("u1"), make_row, None).num_rows == 1


def test_an_error_that_cannot_be_sent_still_says_what_it_was(make_pool):
    with pytest.raises(Exception, match="TwoPartError: bad row at u0") as caught:
        make_pool(num_actors=1).run(unit_named("u0"), fail_in_two_parts, None)
    assert not isinstance(caught.value, EngineFailed)


@pytest.mark.parametrize("num_actors", [1, 2])
def test_a_unit_that_kills_its_actor_fails_alone(store, make_pool, tmp_path, num_actors):
    """Units that ran beside it continue, and actors are replaced as often as necessary."""
    pool = make_pool(num_actors=num_actors, max_task_retries=2, max_restarts=0)
    deaths = tmp_path / "deaths"
    names = [f"u{i}" for i in range(10)]
    names = [*names, "poison", *(f"v{i}" for i in range(10))]
    with ThreadPoolExecutor(len(names)) as callers:
        calls = {
            name: callers.submit(pool.run, unit_named(name), kill_when_poison, str(deaths))
            for name in names
        }
    error = calls.pop("poison").exception()
    assert isinstance(error, UnitKilledItsActor)
    assert str(error).startswith(f"{unit_named('poison').path}: 3 actors or their engines died")
    assert deaths.read_text().count("died") == 3
    assert [call.result().num_rows for call in calls.values()] == [1] * 20
    assert not store.has(unit_named("poison"))
    assert pool.run(unit_named("later"), make_row, None).num_rows == 1


def test_a_pool_that_cannot_see_the_store_says_so_before_any_unit(local_ray, tmp_path):
    pool = ActorPool(str(tmp_path / "elsewhere"), ENGINES, PoolConfig(num_actors=2))
    with pytest.raises(StoreUnusable, match="does not see the run's store"):
        pool.start()
    assert not (tmp_path / "elsewhere").exists()


def test_more_actors_than_the_machine_has_room_for_do_not_hold_up_those_that_have(make_pool):
    pool = make_pool(num_actors=2, cpus_per_actor=_most_cpus() * 0.6)
    assert pool.run(unit_named("u0"), make_row, None).num_rows == 1
    assert len(pool.process_ids()) == 1


def test_a_run_stopped_in_the_middle_and_gone_on_with_more_actors_gives_the_same_rows(
    tmp_path, local_ray
):
    """One actor, closed while it works, then three; compared with three undisturbed ones."""
    disturbed, undisturbed = Store(tmp_path / "disturbed"), Store(tmp_path / "undisturbed")
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(),
        sampling=SamplingConfig(num_samples=50, max_tokens=10),
    )
    source = unit_named("eval")
    problems = markov_problems(200, seed=3)
    units = [
        Unit(
            run_id="run",
            stage="sampling",
            name=f"eval.{start:05d}",
            table="trajectories",
            inputs=(source.path,),
            rows=(start, start + 10),
        )
        for start in range(0, len(problems), 10)
    ]

    def run(store, num_actors, stop_after=None):
        pool = ActorPool(store.url, EngineSet(policy=job.policy), PoolConfig(num_actors=num_actors))
        with ThreadPoolExecutor(len(units)) as callers:
            calls = [callers.submit(pool.run, unit, sample_problems, job) for unit in units]
            if stop_after is not None:
                list(itertools.islice(as_completed(calls), stop_after))
                pool.close()
        pool.close()
        return [call.exception() for call in calls]

    for store in (disturbed, undisturbed):
        store.commit(source, problems)
    errors = run(disturbed, 1, stop_after=4)
    assert {type(error) for error in errors} == {type(None), EngineFailed}
    num_left = len(disturbed.missing(units))
    assert 0 < num_left < len(units) - 3
    assert run(disturbed, 3) == [None] * len(units)
    assert run(undisturbed, 3) == [None] * len(units)
    for unit in units:
        rows, expected = ([*map(_undated, s.read(unit.path))] for s in (disturbed, undisturbed))
        assert rows == expected
        assert len(rows) == 500


def test_a_unit_that_is_there_is_not_done_again(store, make_pool):
    store.commit(unit_named("u0"), [problem_of(unit_named("u0"))])
    receipt = make_pool(num_actors=1).run(unit_named("u0"), fail, None)
    assert receipt.was_there
    assert receipt.num_rows == 1


def test_pools_of_the_same_engines_are_shared_while_open(store):
    config = PoolConfig(num_actors=1)
    with (
        open_pool(store.url, ENGINES, config) as outer,
        open_pool(store.url, ENGINES, config) as inner,
    ):
        assert inner is outer
    with open_pool(store.url, ENGINES, config) as later:
        assert later is not outer


def test_a_path_that_is_no_model_is_refused_before_any_unit(make_pool, tmp_path):
    engines = EngineSet(policy=VLLMConfig(model=str(tmp_path / "nothing")))
    with pytest.raises(ModelUnusable, match="expected a folder in Hugging Face format"):
        make_pool(engines, num_actors=1).start()


def test_an_actor_whose_engine_process_is_killed_is_replaced(store, make_pool):
    """Only vLLM's own process dies; the actor reports it and is replaced."""
    problems, _ = load_problems(WorldProblemsConfig(num_problems=4))
    source = unit_named("eval")
    store.commit(source, problems)
    policy = VLLMConfig(model="world-policy", process="own")
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=policy,
        sampling=SamplingConfig(num_samples=2, max_tokens=64),
    )
    pool = make_pool(EngineSet(policy=policy), num_actors=1)
    pool.start()
    actor = pool.process_ids()[0]
    engine_core = [p for p in psutil.Process(actor).children() if "EngineCor" in p.name()]
    assert len(engine_core) == 1
    engine_core[0].kill()
    unit = Unit(
        run_id="run",
        stage="sampling",
        name="eval.00000",
        table="trajectories",
        inputs=(source.path,),
    )
    assert pool.run(unit, sample_problems, job).num_rows == 8
    assert pool.process_ids()[0] != actor


def test_an_actor_that_is_too_busy_to_say_what_it_has_done_counts_as_before(store, make_pool):
    source = unit_named("eval")
    store.commit(source, markov_problems(4, seed=1))
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(),
        sampling=SamplingConfig(num_samples=2, max_tokens=64),
    )
    unit = Unit(
        run_id="run",
        stage="sampling",
        name="eval.00000",
        table="trajectories",
        inputs=(source.path,),
    )
    pool = make_pool(num_actors=1)
    pool.run(unit, sample_problems, job)
    done = pool.counters()
    assert (done.rows, done.generated_tokens > 0) == (8, True)
    actor = psutil.Process(pool.process_ids()[0])
    actor.suspend()
    try:
        assert pool.counters() == done
    finally:
        actor.resume()


def test_a_pool_says_whether_training_has_room_beside_it(make_pool):
    import ray

    cpus = ray.cluster_resources()["CPU"]
    pool = make_pool(num_actors=1, cpus_per_actor=cpus - 0.5)
    assert pool.leaves_cpus(1)  # it occupies no CPUs before it starts
    pool.start()
    assert pool.leaves_cpus(0.5)
    assert not pool.leaves_cpus(1)
