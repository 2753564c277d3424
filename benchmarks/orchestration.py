"""What Prefect, Ray and the store cost besides the work, per unit and as a share of real sampling.

Instant work: units of one problem on the Markov engine, as the sampling flow runs them; by the same
pool of actors from plain threads, without Prefect; and the same rows committed in a loop, without
either. The three take turns, each with its own store. Real work: the sampling flow with the shipped
policy in vLLM at the default unit size; all time in which actors do not work, by the units' own
seconds, is overhead. Server, Ray and engines are started beforehand and timed separately. The
processor time of all processes is reported beside the wall clock, because it does not depend on
what else the machine does; the part that is not an actor's is overhead. Prints one JSON object on
its last line.

    python -m benchmarks.orchestration --quick
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from flows.server.prefect_server import end_group, start_server
from schemas.engines import SHIPPED_POLICY, EngineConfig, MarkovConfig, VLLMConfig
from schemas.pool import PoolConfig
from schemas.problems import WorldProblemsConfig
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.units import Unit
from storage import Store, connect
from tasks.engines.cluster import start_ray, stop_ray
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Counters, UnitContext
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.engines.pool import open_pool
from tasks.problems.load import load_problems
from tasks.sampling.sample import sample_problems

RUN_ID = "benchmark"
_NUM_THREADS = 64
"""As many threads as the flow uses for its units."""


class Stopwatch:
    """Wall-clock and processor time of a block, over this process and its descendants.

    Descendants that end within the block are left out.
    """

    def __init__(self, actors: Sequence[int] = ()) -> None:
        """A stopped watch; `actors` are the processes that do the work, counted separately."""
        self._actors = actors
        self.seconds = self.processor_s = self.actors_s = 0.0

    def __enter__(self) -> "Stopwatch":
        """Start."""
        self._before, self._start = _processor_times(os.getpid()), time.perf_counter()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop."""
        self.seconds = time.perf_counter() - self._start
        for process, seconds in _processor_times(os.getpid()).items():
            spent_s = seconds - self._before.get(process, 0.0)
            self.processor_s += spent_s
            self.actors_s += spent_s if process.pid in self._actors else 0.0


def measure_instant(folder: Path, num_units: int, rounds: int) -> dict[str, Any]:
    """Milliseconds per unit of instant work, by what runs it."""
    job = _job(MarkovConfig(), num_samples=1, trajectories_per_unit=1, num_actors=2)
    timings: dict[str, list[Stopwatch]] = {"flow": [], "pool": [], "commit": []}
    contestants: dict[str, Callable[[Store], Stopwatch]] = {
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
            watch = timings[name][-1]
            sys.stderr.write(f"{num_units} units by {name}: {watch.seconds:.2f} s, ")
            sys.stderr.write(f"{watch.processor_s:.2f} s of processor time\n")
    seconds = {name: [watch.seconds for watch in watches] for name, watches in timings.items()}
    processor = {name: [w.processor_s for w in watches] for name, watches in timings.items()}
    return {
        "units": num_units,
        "rounds": rounds,
        "ms_per_unit": _per_unit(seconds, num_units),
        "processor_ms_per_unit": _per_unit(processor, num_units),
    }


def _per_unit(seconds: dict[str, list[float]], num_units: int) -> dict[str, float]:
    """Medians in ms, and what each layer adds to the one below."""
    ms = {name: 1000 * statistics.median(values) / num_units for name, values in seconds.items()}
    layers = {"of prefect": ms["flow"] - ms["pool"], "of ray": ms["pool"] - ms["commit"]}
    return {name: round(value, 2) for name, value in {**ms, **layers}.items()}


def measure_real(
    folder: Path, num_units: int, num_actors: int, trajectories_per_unit: int
) -> dict[str, Any]:
    """The share of the sampling flow's time in which actors were idle."""
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
    watch, start_s = time_flow(store, job)
    busy = connect(store.url).execute(
        "select sum(seconds) from units where stage = 'sampling' and table_name = 'trajectories'"
    )
    row = busy.fetchone()
    assert row is not None
    return {
        "units": num_units,
        "trajectories_per_unit": trajectories_per_unit,
        "actors": num_actors,
        "seconds": round(watch.seconds, 2),
        "busy_s": round(row[0], 2),
        "overhead_share": round(1 - row[0] / (watch.seconds * num_actors), 4),
        "processor_s": round(watch.processor_s, 2),
        "processor_overhead_share": round(1 - watch.actors_s / watch.processor_s, 4),
        "engines_start_s": round(start_s, 1),
    }


def time_flow(store: Store, job: SamplingJob) -> tuple[Stopwatch, float]:
    """Time of the sampling flow as a command runs it, and of the start of its actors before it."""
    from flows.runs.recording import without_heartbeats
    from flows.sampling import sample

    # The flow uses the pool that is already open.
    with open_pool(store.url, _engines(job), job.pool) as pool:
        before = time.perf_counter()
        pool.start()
        start_s = time.perf_counter() - before
        with without_heartbeats(), Stopwatch(pool.process_ids()) as watch:
            sample(job, store.url, RUN_ID)
        return watch, start_s


def time_pool(store: Store, job: SamplingJob, num_units: int) -> Stopwatch:
    """Time of the same units on the same kind of pool, called from plain threads."""
    from flows.sampling import sampling_units, solutions_group

    units = sampling_units(job, solutions_group(job), RUN_ID, _problems_unit().path, num_units)
    with (
        open_pool(store.url, _engines(job), job.pool) as pool,
        ThreadPoolExecutor(_NUM_THREADS) as threads,
    ):
        pool.start()
        with Stopwatch() as watch:
            list(threads.map(lambda unit: pool.run(unit, sample_problems, job), units))
        return watch


def time_commits(store: Store, job: SamplingJob, num_units: int) -> Stopwatch:
    """Time of making and committing the same units' rows, one after another."""
    from flows.sampling import sampling_units, solutions_group

    engine = MarkovEngine(MarkovConfig())
    context = UnitContext(store, {"policy": engine}, Counters())

    async def commit_all() -> Stopwatch:
        units = sampling_units(job, solutions_group(job), RUN_ID, _problems_unit().path, num_units)
        with Stopwatch() as watch:
            for unit in units:
                store.commit(unit, await sample_problems(unit, job, context))
        return watch

    return asyncio.run(commit_all())


def _processor_times(pid: int) -> dict[psutil.Process, float]:
    """Processor seconds so far of a process and of each running descendant."""
    top = psutil.Process(pid)
    seconds = {}
    for process in [top, *top.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            seconds[process] = times.user + times.system
    return seconds


def _job(
    policy: EngineConfig,
    *,
    num_samples: int,
    trajectories_per_unit: int,
    num_actors: int,
    max_tokens: int = 16,
) -> SamplingJob:
    return SamplingJob(
        problems=WorldProblemsConfig(),  # never called: they are in the store
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
            "instant": measure_instant(folder, arguments.units, arguments.rounds),
            "real": [],
        }
        for num_actors in (1,) if arguments.quick else (1, 2):
            size = 400 if arguments.quick else SamplingConfig().trajectories_per_unit
            measured = measure_real(folder, 4 * num_actors, num_actors, size)
            sys.stderr.write(f"real work: {json.dumps(measured)}\n")
            figures["real"].append(measured)
        figures["server_processor_s"] = round(sum(_processor_times(server.pid).values()), 1)
        return figures
    finally:
        stop_ray()
        end_group(server)


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="200 units, and smaller real ones")
    parser.add_argument("--rounds", type=int, help="rounds of instant work (quick: 1, else 3)")
    parser.add_argument("--units", type=int, help="units of instant work (quick: 200, else 1000)")
    parser.add_argument("--port", type=int, default=4280, help="port of its own Prefect server")
    arguments = parser.parse_args()
    arguments.units = arguments.units or (200 if arguments.quick else 1000)
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    with tempfile.TemporaryDirectory() as folder:
        figures = _measure(Path(folder), arguments)
    print(json.dumps({"benchmark": "orchestration", "quick": arguments.quick, **figures}))


if __name__ == "__main__":
    main()
