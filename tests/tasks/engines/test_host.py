"""A host works in the run's store, or says that it cannot see it."""

import asyncio
import socket
import threading

import pytest

from schemas.engines import MarkovConfig
from schemas.errors import StoreUnusable
from schemas.rows import PROBLEMS, Problem
from schemas.units import Unit
from storage.locks import alone
from storage.marker import MARKER
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host

ENGINES = EngineSet(policy=MarkovConfig())


def unit_named(name):
    return Unit(run_id="run", stage="problems", name=name, table=PROBLEMS.name)


def test_a_host_that_does_not_see_the_store_says_so_and_makes_none(tmp_path):
    host = Host(str(tmp_path / "elsewhere"), ENGINES)
    with pytest.raises(StoreUnusable, match=f"{socket.gethostname()} does not see .*elsewhere"):
        asyncio.run(host.open())
    assert list(tmp_path.iterdir()) == []


def test_the_seconds_of_units_that_run_at_once_add_up_to_the_time_they_took(store):
    """Eight units wait for the same 0.2 s."""

    async def wait(unit, config, context):
        await asyncio.sleep(0.2)
        return [Problem(problem_id=unit.name, source="s", split="dev", question="q", answer="a")]

    async def run_all():
        host = Host(store.url, ENGINES)
        await host.run(unit_named("first"), wait, None)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        receipts = await asyncio.gather(
            *(host.run(unit_named(f"u{i}"), wait, None) for i in range(8))
        )
        return sum(receipt.seconds for receipt in receipts), loop.time() - begun

    seconds, took = asyncio.run(run_all())
    assert 0.2 <= seconds <= took


def test_a_file_that_takes_long_to_commit_does_not_hold_up_the_other_units(store):
    """The store's lock is held until another unit's work is done, or for ten seconds."""
    is_held, may_go = threading.Event(), threading.Event()

    def hold():
        with alone(store.root / MARKER, timeout_s=10):
            is_held.set()
            may_go.wait(10)

    async def run_both():
        host = Host(store.url, ENGINES)
        await host.open()
        worked = asyncio.Event()

        async def work(unit, config, context):
            worked.set()
            problem = Problem(
                problem_id=unit.name, source="s", split="dev", question="q", answer="a"
            )
            return [problem]

        holder = threading.Thread(target=hold)
        holder.start()
        is_held.wait()
        first = asyncio.create_task(host.run(unit_named("u0"), work, None))
        await worked.wait()
        worked.clear()
        second = asyncio.create_task(host.run(unit_named("u1"), work, None))
        await worked.wait()
        num_committed = first.done() + second.done()
        may_go.set()
        receipts = await asyncio.gather(first, second)
        holder.join()
        return num_committed, [receipt.num_rows for receipt in receipts]

    assert asyncio.run(run_both()) == (0, [1, 1])
