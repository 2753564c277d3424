"""Faults on purpose, counted: nothing may change without a word.

    flipped bits     one bit of a committed file is flipped, byte after byte, and the file is read
                     by `Store.read`, by SQL, and by `stepmill doctor --deep`
    killed exports   the kernel kills `stepmill export` at a byte of what it writes
    served answers   a server answers with values that cannot be true, or with what nobody can read

Each attempt ends as `refused` (a message names the file, or the row has status `error`), `same`
(the right rows or files are there) or `silent`: other rows, half a folder, or a whole unit lost. Of
the last there must be none. Then what verifying costs: processor seconds of reading and connecting
with and without it, in turns. Prints one JSON object on its last line.

    python -m benchmarks.faults --quick
    for n in 0 1 2 3 4 5 6 7; do python -m benchmarks.faults --flips $n; done

`--flips` runs an eighth of all flips alone, so that the whole may be run in parts.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from aiohttp import web

from benchmarks.served_faults import UNREADABLE, UNTRUE, Body, told
from benchmarks.store import TRAJECTORIES, make_trajectories
from flows.commands.export import copy_set
from schemas.engines import GenerationRequest, OpenAIConfig
from schemas.errors import RequestRejected, StoreUnusable
from schemas.rows import PROBLEMS, STEP_SCORES, Problem, StepScores
from schemas.units import Unit
from storage import Store, connect, query, store, verified
from storage.inspection import inspect
from storage.local_files import Listing
from tasks.engines.openai_engine import open_openai_engine
from tasks.engines.openai_server import Clock

_MODEL = "acme/solver"
_NUM_ROUNDS = 11


def flip_bits(folder: Path, stride: int, first: int = 0) -> dict[str, Counter[str]]:
    """Outcomes of reading small files of three tables with a bit flipped.

    Args:
        folder: for the store.
        stride: every so many bytes; SQL and `doctor` look at every 50th of these.
        first: the first byte.
    """
    opened = Store(folder)
    found = {"read": Counter[str](), "SQL": Counter[str](), "doctor --deep": Counter[str]()}
    for unit in _fill(opened):
        place = opened.root / unit.path
        whole, rows = place.read_bytes(), opened.read(unit.path)
        for number, byte in enumerate(range(first, len(whole), stride)):
            changed = bytearray(whole)
            changed[byte] ^= 1 << ((number + first) % 8)
            place.write_bytes(changed)
            found["read"][_outcome(partial(opened.read, unit.path), rows)] += 1
            if number % 50 == 0:
                found["SQL"][_ask(opened, unit)] += 1
                named = unit.path in inspect(opened, deep=True).unusable
                found["doctor --deep"]["refused" if named else "silent"] += 1
        place.write_bytes(whole)
    return found


def kill_exports(folder: Path, num: int) -> Counter[str]:
    """Outcomes of exports that the kernel ends at one of `num` bytes, each followed by another."""
    source, rng, found = folder / "set", np.random.default_rng(0), Counter[str]()
    source.mkdir(parents=True)
    for index in range(4):
        (source / f"train-{index:05d}.parquet").write_bytes(rng.bytes(4000 * (index + 1)))
    wanted = _content(source)
    for limit in np.linspace(1, 17_000, num, dtype=int):
        new = folder / "new"
        died = _dies_at(int(limit), source, new)
        there = _content(new) if new.exists() else None
        if (died and there is not None) or (not died and there != wanted):
            found["silent"] += 1
            continue
        if died:
            copy_set(source, new)  # what was left beside it is in nobody's way
        found["same" if _content(new) == wanted else "silent"] += 1
        shutil.rmtree(new)
    return found


async def serve_faults() -> Counter[str]:
    """Outcomes of requests that a server answers with what no model gives."""
    bodies = {**UNTRUE, **UNREADABLE}
    found, good = Counter[str](), Body(json.dumps(told([-0.5, -0.25])).encode())

    async def play(asked: web.Request) -> web.Response:
        body = bodies.get((await asked.json())["prompt"], good)
        headers = {"Content-Type": "application/json", **body.headers}
        return web.Response(body=body.content, headers=headers)

    runner = web.AppRunner(web.Application(client_max_size=1 << 30))
    runner.app.router.add_post("/v1/completions", play)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server = {"base_url": f"http://{host}:{port}/v1", "kind": "other"}
    config = OpenAIConfig.from_partial({"model": _MODEL, "server": server})
    clock = Clock(sleep=lambda _: asyncio.sleep(0))
    engine = await open_openai_engine(config, "policy", clock=clock)
    try:
        for name in [*bodies, "a good one"]:
            request = GenerationRequest(
                prompt=name, max_tokens=8, with_logprobs=True, num_alternatives=2
            )
            try:
                (completion,) = (await engine.generate(request)).completions
            except RequestRejected:
                found["refused"] += 1
            except Exception:  # it would cost the whole unit
                found["silent"] += 1
            else:
                is_good = (completion.text, completion.logprobs) == ("2 4", (-0.5, -0.25))
                found["same" if is_good and name == "a good one" else "silent"] += 1
    finally:
        await engine.close()
        await runner.cleanup()
    return found


def measure_cost(folder: Path, num_files: int) -> dict[str, float]:
    """Processor seconds with verifying as a multiple of those without, by median of turns."""
    opened, rng = Store(folder), np.random.default_rng(1)
    for index in range(num_files):
        opened.commit(_unit(TRAJECTORIES.name, f"many.{index:04d}"), make_trajectories(index, rng))
    path = _unit(TRAJECTORIES.name, "many.0000").path
    names = ["problem_id", "answer", "correct"]
    ways: Mapping[str, Callable[[], object]] = {
        "read": lambda: opened.read(path),
        "three columns": lambda: opened.columns(path, names),
        "connect to known files": lambda: connect(folder).close(),
        "connect to new files": lambda: _connect_anew(folder),
    }
    connect(folder).close()
    return {name: round(_ratio(ask), 3) for name, ask in ways.items()}


def _fill(opened: Store) -> list[Unit]:
    """A small file of each of three tables."""
    problems = [
        Problem(problem_id=f"p{i}", source="s", split="dev", question="1 + 1?", answer=str(i))
        for i in range(3)
    ]
    scores = [
        StepScores(
            trajectory_id=f"t{i}",
            verifier="v",
            scores=(0.5, 0.25),
            scored_tokens=9,
            cached_tokens=0,
            error=None,
        )
        for i in range(3)
    ]
    rows = {
        PROBLEMS.name: problems,
        STEP_SCORES.name: scores,
        TRAJECTORIES.name: make_trajectories(0, np.random.default_rng(0)).slice(0, 3),
    }
    units = [_unit(table, "small") for table in rows]
    for unit in units:
        opened.commit(unit, rows[unit.table])
    return units


def _unit(table: str, name: str) -> Unit:
    return Unit(run_id="run", stage="sampling", name=name, table=table)


def _outcome(read: Callable[[], object], rows: object) -> str:
    try:
        return "same" if read() == rows else "silent"
    except StoreUnusable:
        return "refused"


def _ask(opened: Store, unit: Unit) -> str:
    """Whether SQL leaves a changed file out and names it."""
    connection = connect(opened.root)
    try:
        sql = f"select (select count(*) from {unit.table}), (select count(*) from skipped_files)"
        return "refused" if query(connection, sql).fetchall() == [(0, 1)] else "silent"
    finally:
        connection.close()


def _dies_at(limit: int, source: Path, new: Path) -> bool:
    """Whether a copy by a process of its own is killed at the byte of a file."""
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        copy_set(source, new)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def _content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def _connect_anew(folder: Path) -> None:
    (folder / ".verified").unlink(missing_ok=True)
    connect(folder).close()


def _ratio(ask: Callable[[], object]) -> float:
    """Processor seconds with verifying as a multiple of those without."""
    spent: dict[bool, list[float]] = {True: [], False: []}
    kept = store.read_checked, store.open_checked, verified.Looks._look_at_new
    for turn in range(_NUM_ROUNDS):
        for verifies in (True, False) if turn % 2 else (False, True):
            if not verifies:
                store.read_checked = store.open_checked = _open_plainly
                verified.Looks._look_at_new = _look_at_none
            begin = time.process_time()
            ask()
            spent[verifies].append(time.process_time() - begin)
            store.read_checked, store.open_checked, verified.Looks._look_at_new = kept
    return statistics.median(spent[True]) / statistics.median(spent[False])


def _look_at_none(self: verified.Looks, listing: Listing) -> None:
    del self, listing


def _open_plainly(stream: pa.NativeFile) -> pq.ParquetFile:
    return pq.ParquetFile(stream)


def main() -> None:
    """Make every fault, and print the outcomes by area."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every 8th byte, fewer kills")
    parser.add_argument("--flips", type=int, choices=range(8), help="only flips, from this byte on")
    given = parser.parse_args()
    is_quick = given.quick
    if given.flips is not None:
        with tempfile.TemporaryDirectory() as folder:
            bits = flip_bits(Path(folder), 8, given.flips)
        print(
            json.dumps({"first": given.flips, **{how: dict(found) for how, found in bits.items()}})
        )
        raise SystemExit(any(found["silent"] for found in bits.values()))
    with tempfile.TemporaryDirectory() as folder:
        bits = flip_bits(Path(folder) / "bits", 8 if is_quick else 1)
        areas = {f"a flipped bit, {how}": found for how, found in bits.items()}
        areas["an export killed"] = kill_exports(Path(folder) / "sets", 20 if is_quick else 200)
        areas["an answer of a server"] = asyncio.run(serve_faults())
        cost = measure_cost(Path(folder) / "cost", 3 if is_quick else 12)
    for area, found in areas.items():
        counts = ", ".join(f"{found[name]:,} {name}" for name in ("refused", "same", "silent"))
        print(f"{area}: {found.total():,} attempts: {counts}")
    report: dict[str, Any] = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "attempts": {area: found.total() for area, found in areas.items()},
        "outcomes": {area: dict(found) for area, found in areas.items()},
        "silent": sum(found["silent"] for found in areas.values()),
        "cost_of_verifying": cost,
    }
    print(json.dumps(report))
    if report["silent"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
