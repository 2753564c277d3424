"""What the store costs: rows written per second, a view over millions of rows, memory of both.

Writing: units of trajectories committed, against pyarrow alone writing the same rows as zstd
Parquet. Both start from Python objects (records here, dicts there), or both from an Arrow table.
Pyarrow from records, by `asdict`, is measured for callers that have records too. Every commit
reaches the disk (fsync); pyarrow's files do not.

Reading: the view `pass_at_k` over trajectories in many files, against the SQL that one would write
by hand in DuckDB for the same figures from the same files, with and without connecting.

Contestants take turns, and a different one goes first each time. Ratios of processor time are
reported beside those of wall-clock time, because other work on the machine hardly affects them.
Memory is the peak of a separate process. Prints one JSON object on its last line.

    python -m benchmarks.store --quick
"""

import argparse
import functools
import json
import math
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.rows import PROBLEMS, TRAJECTORIES, Problem, from_table
from schemas.units import Unit
from storage import Store, catalog, connect, query

_SAMPLES = 64
_PROBLEMS_PER_FILE = 80
_ROWS_PER_FILE = _PROBLEMS_PER_FILE * _SAMPLES
_STEPS = 5
_MEMORY_LIMIT = "1GB"
_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_TRAJECTORIES = "trajectories/run_id=*/stage=*/*.parquet"
_PROBLEMS = "problems/run_id=*/stage=*/*.parquet"

VIEW_SQL = "select * from pass_at_k order by all"
HAND_SQL = """
with counted as (
    select
        t.run_id, t.policy, t.strategy, p.split, t.problem_id,
        count(t.correct) as n, count(*) filter (t.correct) as c
    from read_parquet(?, hive_partitioning = true) as t
    left join (
        select run_id, problem_id, any_value(split) as split
        from read_parquet(?, hive_partitioning = true) group by all
    ) as p on t.run_id = p.run_id and t.problem_id = p.problem_id
    where t.parent_id is null
    group by all
),
ks as (select unnest([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]) as k)
select
    run_id, policy, strategy, split, k,
    avg(case when n - c < k then 1.0 else 1.0 - exp(
        lgamma(n - c + 1.0) + lgamma(n - k + 1.0) - lgamma(n - c - k + 1.0) - lgamma(n + 1.0)
    ) end) as pass_at_k,
    count(*) as num_problems
from counted, ks
where k <= n
group by all
order by all
"""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Timing:
    """The time that one turn of a contestant took."""

    seconds: float
    processor_s: float


def measure_writing(folder: str, num_rows: int, rounds: int) -> dict[str, Any]:
    """Rows per second of every way to write one unit, and the ratio of commits to pyarrow."""
    store, schema = Store(Path(folder) / "writing"), TRAJECTORIES.schema
    table = make_trajectories(0, np.random.default_rng(1)).slice(0, num_rows)
    records, dicts = from_table(TRAJECTORIES, table), table.to_pylist()
    bare = Path(folder) / "bare"
    bare.mkdir(parents=True)

    def commit(rows: Sequence[object] | pa.Table, name: str) -> None:
        store.commit(_unit(TRAJECTORIES.name, name), rows)

    def write(rows: pa.Table, name: str) -> None:
        pq.write_table(rows, bare / f"{name}.parquet", compression="zstd")

    contestants: dict[str, Callable[[str], None]] = {
        "commit_records": lambda name: commit(records, name),
        "pyarrow_dicts": lambda name: write(pa.Table.from_pylist(dicts, schema), name),
        "pyarrow_records": lambda name: write(
            pa.Table.from_pylist([asdict(record) for record in records], schema), name
        ),
        "commit_arrow": lambda name: commit(table, name),
        "pyarrow_arrow": lambda name: write(table, name),
    }
    _take_turns(contestants, 2, "warm")
    timings = _take_turns(contestants, rounds, "timed")
    return {
        "rows": num_rows,
        "rows_per_s": {n: round(num_rows / s) for n, s in _median_seconds(timings).items()},
        "ratio": _ratios(timings, "pyarrow_dicts", "commit_records"),
        "ratio_against_asdict": _ratios(timings, "pyarrow_records", "commit_records"),
        "ratio_from_arrow": _ratios(timings, "pyarrow_arrow", "commit_arrow"),
    }


def measure_view(root: str, rounds: int) -> dict[str, Any]:
    """Seconds of the view and of the SQL by hand, each with and without connecting.

    Raises:
        ValueError: they do not agree.
    """
    ours, bare = connect(root), duckdb.connect()
    found, by_hand = query(ours, VIEW_SQL).fetchall(), _ask_by_hand(bare, root)
    _check_same(found, by_hand)
    contestants: dict[str, Callable[[str], object]] = {
        "view": lambda _: query(ours, VIEW_SQL).fetchall(),
        "by_hand": lambda _: _ask_by_hand(bare, root),
        "connect_and_view": lambda _: query(connect(root), VIEW_SQL).fetchall(),
        "connect_and_by_hand": lambda _: _ask_by_hand(duckdb.connect(), root),
        "connect": lambda _: connect(root),
    }
    timings = _take_turns(contestants, rounds)
    return {
        "seconds": _median_seconds(timings),
        "ratio": _ratios(timings, "view", "by_hand"),
        "ratio_with_connecting": _ratios(timings, "connect_and_view", "connect_and_by_hand"),
        "pass_at_1": found[0][5],
    }


def ask_view(root: str, memory_limit: str | None) -> int:
    """Query the view once; its number of rows."""
    if memory_limit is not None:  # a connection to a store has no setting for it, and locks them
        catalog.duckdb.connect = functools.partial(
            duckdb.connect, config={"memory_limit": memory_limit}
        )
    return len(query(connect(root), VIEW_SQL).fetchall())


def ask_by_hand(root: str, memory_limit: str | None) -> int:
    """Run the SQL by hand once; its number of rows."""
    config: dict[str, Any] = {} if memory_limit is None else {"memory_limit": memory_limit}
    return len(_ask_by_hand(duckdb.connect(config=config), root))


def commit_units(root: str, num_units: int) -> int:
    """Commit units of records, one after another; the number of rows."""
    store, rng, total = Store(root), np.random.default_rng(2), 0
    for index in range(num_units):
        records = from_table(TRAJECTORIES, make_trajectories(index, rng))
        total += store.commit(_unit(TRAJECTORIES.name, f"memory.{index:05d}"), records).num_rows
    return total


def measure_memory(root: str, small_root: str, scratch: str, num_units: int) -> dict[str, Any]:
    """Peak megabytes of each way, over few rows and over many."""
    peaks: dict[str, Any] = {}
    for name, ask in (("view", ask_view), ("by_hand", ask_by_hand)):
        for which, folder, limit in (
            ("tenth", small_root, None),
            ("all", root, None),
            (f"all_{_MEMORY_LIMIT}", root, _MEMORY_LIMIT),
        ):
            _, peaks[f"{name}_{which}"] = _in_process(ask, folder, limit)
    for which, number in (("tenth", num_units // 10), ("all", num_units)):
        _, peaks[f"commit_{which}"] = _in_process(commit_units, f"{scratch}/{which}", number)
    return {"peak_mb": peaks, "rows_committed": num_units * _ROWS_PER_FILE}


def measure_command(root: str, empty_root: str, rounds: int) -> dict[str, Any]:
    """Seconds of `stepmill sql "select 1"` as a process, on an empty store and on a full one."""

    def ask(folder: str) -> None:
        command = [sys.executable, "-m", "flows.cli", "sql", "select 1", "--root", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    timings = _take_turns({"empty": lambda _: ask(empty_root), "full": lambda _: ask(root)}, rounds)
    return {
        "seconds": _median_seconds(timings),
        "processor_s": {
            name: round(statistics.median(t.processor_s for t in turns), 3)
            for name, turns in timings.items()
        },
    }


def fill(root: str, num_files: int) -> int:
    """Commit files of sampled trajectories and the problems they solve; the number of bytes."""
    store, rng = Store(root), np.random.default_rng(0)
    problems = [
        Problem(problem_id=_problem_id(i), source="s", split="dev", question=f"q {i}", answer="a")
        for i in range(num_files * _PROBLEMS_PER_FILE)
    ]
    store.commit(_unit(PROBLEMS.name, "eval"), problems)
    for index in range(num_files):
        store.commit(_unit(TRAJECTORIES.name, f"eval.{index:05d}"), make_trajectories(index, rng))
    return sum(file.stat().st_size for file in store.root.rglob("*.parquet"))


def link_part(root: str, target: str, num_files: int) -> None:
    """A store that links the problems and the first trajectory files of another."""
    source = Store(root).root
    trajectories = sorted(source.glob(_TRAJECTORIES))[:num_files]
    for file in [*trajectories, *source.glob(_PROBLEMS)]:
        link = Store(target).root / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.hardlink_to(file)


def make_trajectories(index: int, rng: np.random.Generator) -> pa.Table:
    """One file of solutions, with texts drawn from a few thousand sentences."""
    num = _ROWS_PER_FILE
    row = range(num)
    p_right = np.repeat(rng.beta(0.6, 0.9, _PROBLEMS_PER_FILE), _SAMPLES)
    is_right = rng.random(num) < p_right
    answers = np.where(is_right, 0, rng.integers(1, 90, num)).astype(str)
    num_tokens = rng.integers(6, 30, num * _STEPS).astype(np.int32)
    step_type = TRAJECTORIES.schema.field("steps").type.value_type
    nulls = {f.name: pa.nulls(num * _STEPS, f.type) for f in step_type}
    steps = {
        **nulls,
        "text": pc.take(_sentences(), pa.array(rng.integers(0, 4000, num * _STEPS))),
        "num_tokens": pa.array(num_tokens),
        "logprob": pa.array(-rng.exponential(2.0, num * _STEPS)),
    }
    columns = {
        "trajectory_id": [f"{i:016x}" for i in rng.integers(0, 2**63, num)],
        "problem_id": [_problem_id(index * _PROBLEMS_PER_FILE + i // _SAMPLES) for i in row],
        "policy": ["world-policy@0123456789abcdef"] * num,
        "strategy": ["sample"] * num,
        "sample_index": [i % _SAMPLES for i in row],
        "status": ["finished"] * num,
        "steps": pa.ListArray.from_arrays(
            pa.array(np.arange(num + 1) * _STEPS, pa.int32()),
            pa.StructArray.from_arrays([steps[f.name] for f in step_type], fields=list(step_type)),
            type=TRAJECTORIES.schema.field("steps").type,
        ),
        "answer": answers,
        "correct": is_right,
        "grader": ["math_verify 0.9.0"] * num,
        "temperature": np.ones(num),
        "top_p": np.ones(num),
        "seed": rng.integers(0, 2**31, num),
        "prompt_tokens": [60 * (i % _SAMPLES == 0) for i in row],
        "cached_tokens": np.zeros(num, np.int32),
        "generated_tokens": num_tokens.reshape(num, _STEPS).sum(axis=1),
        "scored_tokens": np.zeros(num, np.int32),
        "engine": ["vllm 0.32.0 cpu"] * num,
        "created_at": [_TIME] * num,
    }
    return pa.Table.from_arrays(
        [
            _as_array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(num, field.type)
            for field in TRAJECTORIES.schema
        ],
        schema=TRAJECTORIES.schema,
    )


def _as_array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind)


@functools.cache
def _sentences() -> pa.Array:
    rng = np.random.default_rng(3)
    a, b = rng.integers(2, 99, (2, 4000))
    return pa.array([f"{x} crates of {y} make {x * y}.\n" for x, y in zip(a, b, strict=True)])


def _problem_id(index: int) -> str:
    return f"{index:016x}"


def _unit(table: str, name: str) -> Unit:
    stage = "problems" if table == PROBLEMS.name else "sampling"
    return Unit(run_id="benchmark", stage=stage, name=name, table=table)


def _ask_by_hand(connection: duckdb.DuckDBPyConnection, root: str) -> list[Any]:
    files = [f"{root}/{_TRAJECTORIES}", f"{root}/{_PROBLEMS}"]
    return connection.execute(HAND_SQL, files).fetchall()


def _check_same(found: Sequence[Any], by_hand: Sequence[Any]) -> None:
    for ours, theirs in zip(found, by_hand, strict=True):
        same = all(
            math.isclose(a, b, rel_tol=1e-9) if isinstance(a, float) else a == b
            for a, b in zip(ours, theirs, strict=True)
        )
        if not same:
            raise ValueError(
                f"expected {theirs}, which the SQL by hand gives, got {ours} from the view"
            )


def _take_turns(
    contestants: Mapping[str, Callable[[str], object]], rounds: int, label: str = ""
) -> dict[str, list[Timing]]:
    """The time of each contestant in each round; a different one goes first each time."""
    timings: dict[str, list[Timing]] = {name: [] for name in contestants}
    for index in range(rounds):
        turn = index % len(contestants)
        for name in [*list(contestants)[turn:], *list(contestants)[:turn]]:
            wall, processor = time.perf_counter(), _processor_s()
            contestants[name](f"{label}-{name}-{index}")
            timings[name].append(Timing(time.perf_counter() - wall, _processor_s() - processor))
    return timings


def _processor_s() -> float:
    """Processor seconds of this process and of its children that have ended."""
    usages = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _median_seconds(timings: dict[str, list[Timing]]) -> dict[str, float]:
    return {
        name: round(statistics.median(t.seconds for t in turns), 4)
        for name, turns in timings.items()
    }


def _ratios(timings: dict[str, list[Timing]], one: str, other: str) -> dict[str, float]:
    """The seconds of one relative to the other: the medians over the rounds."""
    pairs = list(zip(timings[one], timings[other], strict=True))
    return {
        "wall": round(statistics.median(a.seconds / b.seconds for a, b in pairs), 3),
        "processor": round(statistics.median(a.processor_s / b.processor_s for a, b in pairs), 3),
    }


def _in_process(function: Callable[..., Result], *arguments: Any) -> tuple[Result, int]:
    """A call's result from a separate process, and that process's peak megabytes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(_with_peak, function, arguments).result()


def _with_peak(function: Callable[..., Result], arguments: Sequence[Any]) -> tuple[Result, int]:
    found = function(*arguments)
    status = Path("/proc/self/status").read_text()
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return found, int(peak.split()[1]) // 1024


def _parts(folder: str, arguments: argparse.Namespace) -> Iterator[tuple[str, Any]]:
    """Every part of the benchmark by name, measured when it is called."""
    root, small_root, empty_root = (f"{folder}/{name}" for name in ("all", "tenth", "empty"))
    quick = arguments.quick
    for name, num_rows in (("writing", 1600), ("writing_large", _ROWS_PER_FILE)):
        measured, _ = _in_process(
            measure_writing, f"{folder}/{name}", num_rows, 10 if quick else 40
        )
        yield name, measured
    num_bytes, _ = _in_process(fill, root, arguments.files)
    link_part(root, small_root, max(1, arguments.files // 10))
    Store(empty_root)
    yield "rows", arguments.files * _ROWS_PER_FILE
    yield "files", arguments.files
    yield "megabytes", num_bytes // 10**6
    measured, _ = _in_process(measure_view, root, 3 if quick else 9)
    yield "view", measured
    num_units = 20 if quick else 200
    yield "memory", measure_memory(root, small_root, f"{folder}/memory", num_units)
    yield "select_1_s", measure_command(root, empty_root, 3 if quick else 9)


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most two minutes")
    parser.add_argument(
        "--files", type=int, help="files of trajectories to read (quick: 100, else 1000)"
    )
    arguments = parser.parse_args()
    arguments.files = arguments.files or (100 if arguments.quick else 1000)
    figures: dict[str, Any] = {"benchmark": "store", "quick": arguments.quick}
    figures["cores"] = os.cpu_count()
    with tempfile.TemporaryDirectory() as folder:
        for name, measured in _parts(folder, arguments):
            figures[name] = measured
            sys.stderr.write(f"{name}: {json.dumps(measured)}\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
