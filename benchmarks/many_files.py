"""What SQL costs over many small files: connecting, `select 1`, pass@k and cost, in both layouts.

A synthetic store of the same rows twice: in many files, and in few. The files are written by
pyarrow with the store's own schema, without the flush to disk of a commit. Prints one JSON object
on its last line.

    python -m benchmarks.many_files --files 5260 --rows 2000000
"""

import argparse
import json
import statistics
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.store import make_trajectories
from schemas.rows import TRAJECTORIES
from storage import Store, connect, query

_FEW = 40
_QUERIES = {
    "select_1": "select 1",
    "pass_at_k": "select * from pass_at_k",
    "cost": "select * from cost",
}


def fill(root: str, num_files: int, num_rows: int) -> None:
    """Write a store with `num_rows` trajectories, spread evenly over `num_files` files."""
    folder = Store(root).root / "trajectories" / "run_id=benchmark" / "stage=sampling"
    folder.mkdir(parents=True)
    rng, waiting, drawn = np.random.default_rng(0), TRAJECTORIES.schema.empty_table(), 0
    for index in range(num_files):
        size = num_rows * (index + 1) // num_files - num_rows * index // num_files
        while waiting.num_rows < size:
            more = make_trajectories(drawn, rng)
            waiting, drawn = pa.concat_tables([waiting, more]), drawn + 1
        pq.write_table(waiting.slice(0, size), folder / f"eval.{index:05d}.parquet")
        waiting = waiting.slice(size)


def measure(root: str, rounds: int) -> dict[str, float]:
    """Median seconds of connecting, and of each query on a connection of its own."""
    seconds: dict[str, list[float]] = {name: [] for name in ("connect", *_QUERIES)}
    for _ in range(rounds):
        for name, sql in _QUERIES.items():
            start = time.perf_counter()
            connection = connect(root)
            opened = time.perf_counter()
            query(connection, sql).fetchall()
            seconds["connect"].append(opened - start)
            seconds[name].append(time.perf_counter() - opened)
            connection.close()
    return {name: round(statistics.median(turns), 3) for name, turns in seconds.items()}


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--files", type=int, default=5260)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    found: dict[str, object] = {"rows": arguments.rows}
    with tempfile.TemporaryDirectory(prefix="stepmill-many-files-") as folder:
        for num_files in (arguments.files, min(_FEW, arguments.files)):
            root = f"{folder}/{num_files}"
            fill(root, num_files, arguments.rows)
            found[f"{num_files}_files"] = measure(root, arguments.rounds)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
