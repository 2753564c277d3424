"""What building a training set costs: solutions read per second, rows written, peak memory.

The store is synthetic: 16 solutions per problem, which share most of their lines as sampled ones
do, with grades and a verifier's scores. Each builder runs in its own process, over the whole store
and over a tenth of it: memory must not grow with the store. Peak memory is the process's high-water
mark, including DuckDB's share. The processor time of all threads is reported beside the wall clock,
because other work on the machine hardly affects it. Prints one JSON object on its last line.

    python -m benchmarks.building --quick
"""

import argparse
import functools
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flows.runs.export_plan import plan_export
from schemas.dataset_export import DatasetExportJob
from schemas.rows import PROBLEMS, STEP_SCORES, TRAJECTORIES, Problem
from schemas.units import Unit
from storage import Store
from tasks.dataset_export.build import build_set
from tasks.dataset_export.sources import open_sources

_SAMPLES = 16
_PROBLEMS_PER_FILE = 625
_ROWS_PER_FILE = _SAMPLES * _PROBLEMS_PER_FILE
_STEPS = 5
_P_OTHER_LINE = 0.3
_TIME = datetime(2026, 1, 1, tzinfo=UTC)
_RUN = "made-up"

BUILDERS: dict[str, dict[str, Any]] = {
    "rest by grade": {"type": "rest"},
    "rest by percentile": {"type": "rest", "by": "percentile", "improve_step": 1},
    "preference, random": {"type": "preference", "pairing": "random"},
    "preference, nearest": {"type": "preference", "pairing": "nearest"},
}


def fill(root: str, num_files: int) -> int:
    """Commit problems and files of solutions with their scores; the number of bytes."""
    store, rng = Store(root), np.random.default_rng(0)
    problems = [
        Problem(
            problem_id=_problem_id(index),
            source="made up",
            split="train",
            question=f"Load {index}: {_sentences()[index % 4000].as_py()} How many in all?",
            answer=str(index % 89),
            level=index % 5 + 1,
        )
        for index in range(num_files * _PROBLEMS_PER_FILE)
    ]
    store.commit(_unit(PROBLEMS.name, "problems", "train"), problems)
    for index in range(num_files):
        name = f"train.{index:05d}"
        solutions = _make_solutions(index, rng)
        store.commit(_unit(TRAJECTORIES.name, "sampling", name), solutions)
        scores = _make_scores(solutions.column("trajectory_id"), rng)
        store.commit(_unit(STEP_SCORES.name, "scoring", name), scores)
    return sum(file.stat().st_size for file in store.root.rglob("*.parquet"))


def build(root: str, builder: dict[str, Any]) -> dict[str, Any]:
    """Build one set; its time, solutions read and rows written per second."""
    store, processor = Store(root), _processor_s()
    job = DatasetExportJob.from_partial({"builder": builder, "prompt": {"type": "plain"}})
    start = time.perf_counter()
    plan = plan_export(store, job, _RUN)
    with store.scratch() as folder, open_sources(store, plan) as sources:
        built = build_set(store, plan, sources, name="set", folder=folder)
        num_solutions = sources.survey.num_solutions
    seconds = time.perf_counter() - start
    return {
        "seconds": round(seconds, 1),
        "processor_s": round(_processor_s() - processor, 1),
        "solutions_per_s": round(num_solutions / seconds),
        "rows_per_s": round(built.num_rows / seconds),
        "rows": built.num_rows,
    }


def _make_solutions(index: int, rng: np.random.Generator) -> pa.Table:
    """One file of solutions; those of one problem differ in a few lines."""
    num = _ROWS_PER_FILE
    usual = np.repeat(rng.integers(0, 4000, (_PROBLEMS_PER_FILE, _STEPS)), _SAMPLES, axis=0)
    other = rng.integers(0, 4000, (num, _STEPS))
    lines = np.where(rng.random((num, _STEPS)) < _P_OTHER_LINE, other, usual)
    p_right = np.repeat(rng.beta(0.6, 0.9, _PROBLEMS_PER_FILE), _SAMPLES)
    kind = TRAJECTORIES.schema.field("steps").type
    values = {
        "text": pc.take(_sentences(), pa.array(lines.ravel())),
        "num_tokens": pa.array(rng.integers(6, 30, num * _STEPS), pa.int32()),
        "logprob": pa.array(-rng.exponential(2.0, num * _STEPS)),
    }
    fields = list(kind.value_type)
    steps = [values.get(f.name, pa.nulls(num * _STEPS, f.type)) for f in fields]
    columns: dict[str, Any] = {
        "trajectory_id": [f"{value:016x}" for value in rng.integers(0, 2**63, num)],
        "problem_id": [_problem_id(index * _PROBLEMS_PER_FILE + i // _SAMPLES) for i in range(num)],
        "policy": ["policy"] * num,
        "strategy": ["sample"] * num,
        "sample_index": [i % _SAMPLES for i in range(num)],
        "status": ["finished"] * num,
        "steps": pa.ListArray.from_arrays(
            pa.array(np.arange(num + 1) * _STEPS, pa.int32()),
            pa.StructArray.from_arrays(steps, fields=fields),
            type=kind,
        ),
        "answer": rng.integers(0, 89, num).astype(str),
        "correct": rng.random(num) < p_right,
        "grader": ["exact"] * num,
        "temperature": np.ones(num),
        "top_p": np.ones(num),
        "engine": ["made up"] * num,
        "created_at": [_TIME] * num,
    }
    for name in ("seed", "prompt_tokens", "cached_tokens", "generated_tokens", "scored_tokens"):
        columns[name] = np.zeros(num, np.int64 if name == "seed" else np.int32)
    return pa.Table.from_arrays(
        [
            _as_array(columns[field.name], field.type)
            if field.name in columns
            else pa.nulls(num, field.type)
            for field in TRAJECTORIES.schema
        ],
        schema=TRAJECTORIES.schema,
    )


def _make_scores(ids: pa.ChunkedArray, rng: np.random.Generator) -> pa.Table:
    num = len(ids)
    columns = {
        "trajectory_id": ids,
        "verifier": ["verifier"] * num,
        "scores": pa.ListArray.from_arrays(
            pa.array(np.arange(num + 1) * _STEPS, pa.int32()), pa.array(rng.random(num * _STEPS))
        ),
        "scored_tokens": np.zeros(num, np.int32),
        "cached_tokens": np.zeros(num, np.int32),
        "error": pa.nulls(num, pa.string()),
    }
    arrays = [_as_array(columns[field.name], field.type) for field in STEP_SCORES.schema]
    return pa.Table.from_arrays(arrays, schema=STEP_SCORES.schema)


def _as_array(values: Any, kind: pa.DataType) -> Any:
    if isinstance(values, pa.ChunkedArray):
        return values
    return values.cast(kind) if isinstance(values, pa.Array) else pa.array(values, kind)


@functools.cache
def _sentences() -> pa.Array:
    rng = np.random.default_rng(3)
    a, b = rng.integers(2, 99, (2, 4000))
    return pa.array([f"{x} crates of {y} make {x * y}.\n" for x, y in zip(a, b, strict=True)])


def _problem_id(index: int) -> str:
    return f"{index:016x}"


def _unit(table: str, stage: str, name: str) -> Unit:
    return Unit(run_id=_RUN, stage=stage, name=name, table=table)


def _processor_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _in_process(function: Any, *arguments: Any) -> tuple[Any, int]:
    """A call's result from a separate process, and that process's peak megabytes."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as process:
        return process.submit(_with_peak, function, arguments).result()


def _with_peak(function: Any, arguments: tuple[Any, ...]) -> tuple[Any, int]:
    found = function(*arguments)
    status = Path("/proc/self/status").read_text()
    (peak,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return found, int(peak.split()[1]) // 1024


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="at most two minutes")
    parser.add_argument("--files", type=int, help="files of 10,000 solutions (quick: 5, else 100)")
    arguments = parser.parse_args()
    num_files = arguments.files or (5 if arguments.quick else 100)
    figures: dict[str, Any] = {"benchmark": "building", "quick": arguments.quick}
    figures |= {"cores": os.cpu_count(), "builders": {}}
    with tempfile.TemporaryDirectory() as folder:
        num_bytes, _ = _in_process(fill, f"{folder}/all", num_files)
        _in_process(fill, f"{folder}/tenth", max(1, num_files // 10))
        figures |= {"solutions": num_files * _ROWS_PER_FILE, "megabytes": num_bytes // 10**6}
        for name, builder in BUILDERS.items():
            measured, peak = _in_process(build, f"{folder}/all", builder)
            _, small_peak = _in_process(build, f"{folder}/tenth", builder)
            measured |= {"peak_mb": peak, "peak_mb_of_a_tenth": small_peak}
            figures["builders"][name] = measured
            sys.stderr.write(f"{name}: {json.dumps(measured)}\n")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
