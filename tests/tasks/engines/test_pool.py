"""Actors that die are replaced and their units redone; a unit's own error is the caller's."""

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from schemas.engines import MarkovConfig, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, Problem
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from tasks.engines.host import EngineSet
from tasks.engines.pool import EnginePool, open_pool
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems

pytestmark = [pytest.mark.ray, pytest.mark.slow]
ENGINES = EngineSet(policy=MarkovConfig())


@pytest.fixture(autouse=True)
def importable_work(local_ray):
    """Let actors run functions of this file."""
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    yield
    cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


@pytest.fixture
def make_pool(store):
    pools = []

    def make(engines=ENGINES, **fields):
        pools.append(EnginePool(str(store.root), engines, PoolConfig(**fields)))
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
    """The first time: tell the test which process this is, and never return."""
    import asyncio
    import pathlib

    if pathlib.Path(pipe).exists():
        with pathlib.Path(pipe).open("w") as line:
            line.write(str(os.getpid()))
        await asyncio.Event().wait()
    return [problem_of(unit)]


async def fail(unit, config, context):
    raise ValueError(f"{unit.name} cannot be done")


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
    with pytest.raises(ValueError, match="u0 cannot be done"):
        pool.run(unit_named("u0"), fail, None)
    assert not store.has(unit_named("u0"))
    assert pool.run(unit_named("u1"), make_row, None).num_rows == 1


def test_a_unit_that_is_there_is_not_done_again(store, make_pool):
    store.commit(unit_named("u0"), [problem_of(unit_named("u0"))])
    receipt = make_pool(num_actors=1).run(unit_named("u0"), fail, None)
    assert receipt.was_there
    assert receipt.num_rows == 1


def test_pools_of_the_same_engines_are_shared_while_open(store):
    config = PoolConfig(num_actors=1)
    with (
        open_pool(str(store.root), ENGINES, config) as outer,
        open_pool(str(store.root), ENGINES, config) as inner,
    ):
        assert inner is outer
    with open_pool(str(store.root), ENGINES, config) as later:
        assert later is not outer


def test_a_path_that_is_no_model_is_refused_before_any_unit(make_pool, tmp_path):
    engines = EngineSet(policy=VLLMConfig(model=str(tmp_path / "nothing")))
    with pytest.raises(ModelUnusable, match="expected a folder in Hugging Face format"):
        make_pool(engines, num_actors=1).start()


def test_an_actor_whose_engine_process_is_killed_is_replaced(store, make_pool):
    """Only vLLM's own process dies; the actor notices, ends itself, and Ray starts another."""
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
    engine_core = [p for p in psutil.Process(actor).children() if "EngineCore" in p.name()]
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
