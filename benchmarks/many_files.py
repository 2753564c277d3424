"""What SQL costs over many small files: connecting, `select 1`, pass@k, cost and one run's rows.

A synthetic store of ten runs, first in many files, then with the same files folded by
`stepmill compact`. The files are those of commits, without the flush to disk. `first_connect` looks
at all files; the others find them remembered. `count` opens every file and
reads no column. Each figure is the median of the seconds of
wall-clock time, and of the processor time of both threads, which other work on the machine hardly
affects; `peak_mb` is the memory of the process so far. Prints one JSON object on its last line.

    python -m benchmarks.many_files --files 5260 --rows 2000000
"""

import argparse
import json
import resource
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.store import make_trajectories
from schemas.rows import TRAJECTORIES
from storage import Store, connect, query
from storage.checksums import SEALED, seal
from storage.compaction import compact
from storage.folded import UNITS_KEY, UnitRows, units_metadata

_RUNS = 10
_QUERIES = {
    "select_1": "select 1",
    "count": "select count(*) from trajectories",
    "pass_at_k": "select * from pass_at_k",
    "cost": "select * from cost",
    "one_run": "select count(correct) from graded where run_id = 'run-3'",
}


def fill(root: str, num_files: int, num_rows: int) -> None:
    """Write a store with `num_rows` trajectories, spread evenly over `num_files` files."""
    table = Store(root).root / "trajectories"
    rng, waiting, drawn = np.random.default_rng(0), TRAJECTORIES.schema.empty_table(), 0
    for index in range(num_files):
        size = num_rows * (index + 1) // num_files - num_rows * index // num_files
        while waiting.num_rows < size:
            more = make_trajectories(drawn, rng)
            waiting, drawn = pa.concat_tables([waiting, more]), drawn + 1
        folder = table / f"run_id=run-{index * _RUNS // num_files}" / "stage=sampling"
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"eval.{index:05d}.parquet", waiting.slice(0, size))
        waiting = waiting.slice(size)


def _write(path: Path, table: pa.Table) -> None:
    """Write a unit's file as a commit does, but not through to the disk."""
    units = units_metadata([UnitRows(name=path.stem, rows=table.num_rows, seconds=1.0)])
    metadata = {**(table.schema.metadata or {}), UNITS_KEY: units, **SEALED}
    table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)
    seal(path)


def measure(root: str, rounds: int) -> dict[str, object]:
    """Median seconds of connecting, and of each query on a connection of its own."""
    first = time.process_time()
    connect(root).close()
    first = time.process_time() - first
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in ("connect", *_QUERIES)}
    for _ in range(rounds):
        for name, sql in _QUERIES.items():
            start = _clocks()
            connection = connect(root)
            opened = _clocks()
            query(connection, sql).fetchall()
            ended = _clocks()
            seconds["connect"].append((opened[0] - start[0], opened[1] - start[1]))
            seconds[name].append((ended[0] - opened[0], ended[1] - opened[1]))
            connection.close()
    return {
        "first_connect_cpu_s": round(first, 3),
        **{
            name: {
                "s": round(statistics.median(wall for wall, _ in turns), 3),
                "cpu_s": round(statistics.median(cpu for _, cpu in turns), 3),
            }
            for name, turns in seconds.items()
        },
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000),
    }


def _since(start: tuple[float, float]) -> tuple[float, float]:
    wall, cpu = _clocks()
    return round(wall - start[0], 3), round(cpu - start[1], 3)


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=5260)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, object] = {"rows": arguments.rows}
    with tempfile.TemporaryDirectory(prefix="stepmill-many-files-") as folder:
        fill(folder, arguments.files, arguments.rows)
        found["many"] = {"files": arguments.files, **measure(folder, arguments.rounds)}
        start = _clocks()
        folded = compact(Store(folder))
        found["folding"] = dict(zip(("s", "cpu_s"), _since(start), strict=True))
        num_files = sum(folding.files_after for folding in folded)
        found["folded"] = {"files": num_files, **measure(folder, arguments.rounds)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
