"""Engines that need no actor run in this process, with the bounds and faults of a pool."""

import asyncio
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.engines import IndexConfig, MarkovConfig, OpenAIConfig, ServerConfig, VLLMConfig
from schemas.errors import EngineFailed, EngineUnreachable, ModelUnusable, StoreUnusable
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS, Problem
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from tasks.engines.actor_pool import ActorPool
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.engines.local_pool import LocalPool
from tasks.engines.markov_engine import markov_problems
from tasks.engines.pool import open_pool
from tasks.sampling.sample import sample_problems

MARKOV = EngineSet(policy=MarkovConfig())
SERVED = OpenAIConfig(model="m", server=ServerConfig(base_url="http://127.0.0.1:9/v1"))


def unit_named(name, **fields):
    return Unit(run_id="run", stage="problems", name=name, table=PROBLEMS.name, **fields)


async def make_row(unit, config, context):
    return [Problem(problem_id=unit.name, source="s", split="dev", question="q", answer="a")]


@pytest.fixture
def pool(store):
    with open_pool(store.url, MARKOV, PoolConfig()) as pool:
        yield pool


@pytest.mark.parametrize(
    ("engines", "fields", "kind"),
    [
        ({"policy": MarkovConfig()}, {}, LocalPool),
        ({"policy": SERVED, "retriever": IndexConfig(path="documents/x")}, {}, LocalPool),
        ({"policy": SERVED}, {"num_actors": 1}, ActorPool),
        ({"policy": SERVED, "verifier": VLLMConfig(model="world-policy")}, {}, ActorPool),
        ({"policy": VLLMConfig(model="world-policy")}, {}, ActorPool),
        ({"policy": VLLMConfig(model="world-policy")}, {"num_actors": 0}, LocalPool),
        ({}, {}, ActorPool),
    ],
)
def test_only_a_model_that_computes_or_a_set_number_needs_actors(store, engines, fields, kind):
    with open_pool(store.url, EngineSet(**engines), PoolConfig(**fields)) as pool:
        assert type(pool) is kind


def test_rows_are_those_of_a_host(store):
    source = unit_named("eval")
    store.commit(source, markov_problems(4, seed=1))
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(),
        sampling=SamplingConfig(num_samples=2, max_tokens=64),
    )
    unit, other = (
        Unit(
            run_id="run",
            stage="sampling",
            table="trajectories",
            name=name,
            inputs=(source.path,),
        )
        for name in ("a", "b")
    )
    with open_pool(store.url, MARKOV, PoolConfig()) as pool:
        receipt = pool.run(unit, sample_problems, job)
        done = pool.counters()
        assert pool.process_ids() == [os.getpid()]
    expected = asyncio.run(Host(store.url, MARKOV).run(other, sample_problems, job))
    rows, others = store.read(receipt.path), store.read(expected.path)
    moment = rows[0].created_at
    assert [replace(row, created_at=moment) for row in others] == [
        replace(row, created_at=moment) for row in rows
    ]
    assert (done.rows, done.generated_tokens) == (8, sum(row.generated_tokens for row in rows))


def test_a_committed_unit_is_not_made_again(store, pool):
    first = pool.run(unit_named("u"), make_row, None)

    async def fail(unit, config, context):
        raise AssertionError("made again")

    again = pool.run(unit_named("u"), fail, None)
    assert (again.was_there, replace(again, was_there=False)) == (True, first)


def test_no_more_units_at_once_than_the_config_says(store):
    at_once, most = 0, 0
    two_are_in = asyncio.Event()

    async def count(unit, config, context):
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == 2:
            two_are_in.set()
        await two_are_in.wait()
        for _ in range(5):  # others would come in here
            await asyncio.sleep(0)
        at_once -= 1
        return await make_row(unit, config, context)

    with (
        open_pool(store.url, MARKOV, PoolConfig(units_in_flight=2)) as pool,
        ThreadPoolExecutor(8) as threads,
    ):
        units = [unit_named(f"u{i}") for i in range(8)]
        receipts = list(threads.map(lambda unit: pool.run(unit, count, None), units))
    assert [receipt.num_rows for receipt in receipts] == [1] * 8
    assert most == 2


def test_what_a_unit_raises_reaches_the_caller_as_it_is(pool):
    class TwoPartError(Exception):
        def __init__(self, what, where):
            super().__init__(f"{what} at {where}")

    async def fail(unit, config, context):
        raise TwoPartError("bad row", unit.name)

    with pytest.raises(TwoPartError, match="bad row at u"):
        pool.run(unit_named("u"), fail, None)
    assert pool.run(unit_named("v"), make_row, None).num_rows == 1


def test_a_pool_that_is_closed_ends_its_units_and_takes_no_more(store):
    pool = LocalPool(store.url, MARKOV, PoolConfig())
    begun, ended = threading.Event(), threading.Event()

    async def never_end(unit, config, context) -> list[object]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return []

    with ThreadPoolExecutor(1) as thread:
        outcome = thread.submit(pool.run, unit_named("u"), never_end, None)
        assert begun.wait(30)
        pool.close()
        with pytest.raises(EngineFailed, match="the pool is closed"):
            outcome.result(30)
    assert ended.is_set()
    with pytest.raises(EngineFailed, match="the pool is closed"):
        pool.run(unit_named("v"), make_row, None)
    assert store.missing([unit_named("u")]) == [unit_named("u")]
    assert pool.process_ids() == []
    pool.close()


def test_a_store_that_is_not_there_is_not_made(tmp_path):
    pool = LocalPool(str(tmp_path / "elsewhere"), MARKOV, PoolConfig())
    with pytest.raises(StoreUnusable, match="does not see the run's store"):
        pool.start()
    assert not (tmp_path / "elsewhere").exists()


class _Refuser(BaseHTTPRequestHandler):
    """A server that knows no model."""

    def do_GET(self):
        self.send_error(404)

    do_POST = do_GET

    def log_message(self, format, *args):
        """Keep the test's output clean."""


def test_a_server_that_refuses_or_is_not_there_ends_the_start(store):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refuser) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        where = ServerConfig(
            base_url=f"http://127.0.0.1:{server.server_port}/v1", retry_timeout_s=0.1
        )
        engines = EngineSet(policy=OpenAIConfig(model="acme/solver", server=where))
        with pytest.raises(ModelUnusable, match="acme/solver"):
            LocalPool(store.url, engines, PoolConfig()).start()
        server.shutdown()
        thread.join()
    with pytest.raises(EngineUnreachable, match="did not recover"):
        LocalPool(store.url, engines, PoolConfig()).start()


def test_nothing_of_ray_or_of_a_model_is_imported(store):
    """In a process of its own, since this one has imported them."""
    program = f"""
import sys
from schemas.engines import MarkovConfig
from schemas.pool import PoolConfig
from tasks.engines.engine_set import EngineSet
from tasks.engines.pool import open_pool
import tasks.engines.openai_engine
with open_pool({store.url!r}, EngineSet(policy=MarkovConfig()), PoolConfig()) as pool:
    pool.start()
print(sorted({{"ray", "torch", "transformers", "vllm"}} & set(sys.modules)))
"""
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
