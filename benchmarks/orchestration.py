"""What Prefect, Ray and the store cost beside the work, per unit and as a share of real sampling.

Instant work: units of one problem on the Markov engine, as the sampling flow runs them; by the same
pool of actors from plain threads, without Prefect; and the same rows committed in a loop, without
either. The three take turns, each with a store of its own. Real work: the sampling flow with the
shipped policy in vLLM at the default unit size; what is not an actor's time at work, by the units'
own seconds, is overhead. Server, Ray and engines are started before, and timed apart. Prints one
JSON object on its last line.

    python -m benchmarks.orchestration --quick
"""

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from flows.server import end_group, start_server
from schemas.engines import SHIPPED_POLICY, EngineConfig, MarkovConfig, VLLMConfig
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from storage import Store, connect
from tasks.engines.host import Counters, EngineSet, UnitContext
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.engines.pool import open_pool, start_ray, stop_ray
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems

RUN_ID = "benchmark"
_NUM_THREADS = 64
"""As many as the flow has for its units."""


def measure_instant(folder: Path, num_units: int, rounds: int) -> dict[str, Any]:
    """Milliseconds a unit of instant work takes, by who runs it."""
    job = _job(MarkovConfig(), num_samples=1, trajectories_per_unit=1, num_actors=2)
    timings: dict[str, list[float]] = {"flow": [], "pool": [], "commit": []}
    contestants: dict[str, Callable[[Store], float]] = {
        "flow": lambda store: time_flow(store, job)[0],
        "pool": lambda store: time_pool(store, job, num_units),
        "commit": lambda store: time_commits(store, job, num_units),
    }
    for index in range(rounds):
        turn = index % len(contestants)
        for name in [*list(contestants)[turn:], *list(contestants)[:turn]]:
            store = Store(folder / f"instant-{name}-{index}")
            store.commit(_problems_unit(), markov_problems(num_units, seed=1))
            timings[name].append(contestants[name](store))
            sys.stderr.write(f"{num_units} units by {name}: {timings[name][-1]:.2f} s\n")
    per_unit = {n: 1000 * statistics.median(seconds) / num_units for n, seconds in timings.items()}
    return {
        "units": num_units,
        "rounds": rounds,
        "ms_per_unit": {name: round(ms, 2) for name, ms in per_unit.items()},
        "ms_per_unit_of": {
            "prefect": round(per_unit["flow"] - per_unit["pool"], 2),
            "ray": round(per_unit["pool"] - per_unit["commit"], 2),
            "store": round(per_unit["commit"], 2),
        },
    }


def measure_real(
    folder: Path, num_units: int, num_actors: int, trajectories_per_unit: int
) -> dict[str, Any]:
    """The share of the sampling flow's time in which actors were not at work."""
    policy = VLLMConfig(model=SHIPPED_POLICY)
    job = _job(
        policy,
        num_samples=16,
        trajectories_per_unit=trajectories_per_unit,
        num_actors=num_actors,
        max_tokens=160,
    )
    store = Store(folder / f"real-{num_actors}")
    num_problems = num_units * trajectories_per_unit // job.sampling.num_samples
    problems, _ = load_problems(WorldProblemsConfig(split="train", num_problems=num_problems))
    store.commit(_problems_unit(), problems)
    seconds, start_s = time_flow(store, job)
    busy = connect(store.url).execute(
        "select sum(seconds) from units where stage = 'sampling' and table_name = 'trajectories'"
    )
    row = busy.fetchone()
    assert row is not None
    return {
        "units": num_units,
        "trajectories_per_unit": trajectories_per_unit,
        "actors": num_actors,
        "seconds": round(seconds, 2),
        "busy_s": round(row[0], 2),
        "overhead_share": round(1 - row[0] / (seconds * num_actors), 4),
        "engines_start_s": round(start_s, 1),
    }


def time_flow(store: Store, job: SamplingJob) -> tuple[float, float]:
    """Seconds of the sampling flow, and of the start of its actors before it."""
    from flows.sampling import sample

    # The flow finds the pool that is open around it.
    with open_pool(store.url, _engines(job), job.pool) as pool:
        before = time.perf_counter()
        pool.start()
        start = time.perf_counter()
        sample(job, store.url, RUN_ID)
        return time.perf_counter() - start, start - before


def time_pool(store: Store, job: SamplingJob, num_units: int) -> float:
    """Seconds of the same units on the same kind of pool, called from plain threads."""
    from flows.sampling import sampling_units

    units = sampling_units(job, RUN_ID, _problems_unit().path, num_units)
    with (
        open_pool(store.url, _engines(job), job.pool) as pool,
        ThreadPoolExecutor(_NUM_THREADS) as threads,
    ):
        pool.start()
        start = time.perf_counter()
        list(threads.map(lambda unit: pool.run(unit, sample_problems, job), units))
        return time.perf_counter() - start


def time_commits(store: Store, job: SamplingJob, num_units: int) -> float:
    """Seconds of making and committing the same units' rows, one after another."""
    from flows.sampling import sampling_units

    engine = MarkovEngine(MarkovConfig())
    context = UnitContext(store, {"policy": engine}, Counters())

    async def commit_all() -> float:
        units = sampling_units(job, RUN_ID, _problems_unit().path, num_units)
        start = time.perf_counter()
        for unit in units:
            store.commit(unit, await sample_problems(unit, job, context))
        return time.perf_counter() - start

    return asyncio.run(commit_all())


def _job(
    policy: EngineConfig,
    *,
    num_samples: int,
    trajectories_per_unit: int,
    num_actors: int,
    max_tokens: int = 16,
) -> SamplingJob:
    return SamplingJob(
        problems=WorldProblemsConfig(),  # never asked: they are in the store
        policy=policy,
        sampling=SamplingConfig(
            num_samples=num_samples,
            max_tokens=max_tokens,
            trajectories_per_unit=trajectories_per_unit,
        ),
        pool=PoolConfig(num_actors=num_actors),
    )


def _engines(job: SamplingJob) -> EngineSet:
    return EngineSet(policy=job.policy, separator=job.prompt.separator)


def _problems_unit() -> Unit:
    return Unit(run_id=RUN_ID, stage="problems", name="eval", table=PROBLEMS.name)


def _measure(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    os.environ["PREFECT_HOME"] = str(folder / "prefect")
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{arguments.port}/api"
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    start = time.perf_counter()
    server = start_server(arguments.port)
    server_s = time.perf_counter() - start
    try:
        start = time.perf_counter()
        start_ray()
        figures: dict[str, Any] = {
            "start_s": {
                "server": round(server_s, 1),
                "ray": round(time.perf_counter() - start, 1),
            },
            "instant": measure_instant(folder, arguments.units, 1 if arguments.quick else 3),
            "real": [],
        }
        for num_actors in (1,) if arguments.quick else (1, 2):
            size = 400 if arguments.quick else SamplingConfig().trajectories_per_unit
            measured = measure_real(folder, 4 * num_actors, num_actors, size)
            sys.stderr.write(f"real work: {json.dumps(measured)}\n")
            figures["real"].append(measured)
        usage = psutil.Process(server.pid)
        times = [p.cpu_times() for p in [usage, *usage.children(recursive=True)]]
        figures["server_processor_s"] = round(sum(t.user + t.system for t in times), 1)
        return figures
    finally:
        stop_ray()
        end_group(server)


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="200 units, and smaller real ones")
    parser.add_argument("--units", type=int, help="of instant work (quick: 200, else 1000)")
    parser.add_argument("--port", type=int, default=4280, help="of a Prefect server of its own")
    arguments = parser.parse_args()
    arguments.units = arguments.units or (200 if arguments.quick else 1000)
    with tempfile.TemporaryDirectory() as folder:
        figures = _measure(Path(folder), arguments)
    print(json.dumps({"benchmark": "orchestration", "quick": arguments.quick, **figures}))


if __name__ == "__main__":
    main()
