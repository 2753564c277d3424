"""A host works in the run's store, or says that it cannot see it."""

import asyncio
import socket

import pytest

from schemas.engines import MarkovConfig
from schemas.errors import StoreUnusable
from schemas.rows import PROBLEMS, Problem
from schemas.units import Unit
from tasks.engines.host import EngineSet, Host

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
