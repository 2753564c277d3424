"""The solutions in a sampling run's store, and what is wrong with them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.rows import TRAJECTORIES
from storage.roots import STAGING

Files = dict[Path, tuple[int, int]]
"""Inode and time of each file."""

Starts = list[tuple[str, str]]
"""Unit and process of every start of a unit's work, in order, recorded by `benchmarks.killed`."""


@dataclass(frozen=True, slots=True)
class Solutions:
    """All solutions of a run, by their ids: problem, index, text, answer, verdict."""

    by_id: dict[str, tuple[Any, ...]]
    num_files: int


def read_solutions(root: Path) -> tuple[Solutions, list[str]]:
    """The solutions in a store, and complaints: unreadable files and duplicate rows.

    What a killed process was writing is left out: nothing reads it, and it is removed after a day.
    """
    by_id: dict[str, tuple[Any, ...]] = {}
    complaints = []
    for file in sorted(root.rglob("*.parquet")):
        if STAGING in file.relative_to(root).parts:
            continue
        try:
            table = pq.ParquetFile(file).read()
        except (pa.ArrowException, OSError) as error:
            complaints.append(f"{file} is unreadable: {error}")
            continue
        if TRAJECTORIES.name not in file.relative_to(root).parts:
            continue
        for row in table.to_pylist():
            if row["trajectory_id"] in by_id:
                complaints.append(f"{row['trajectory_id']} occurs twice")
            text = "".join(step["text"] for step in row["steps"])
            place = row["problem_id"], row["sample_index"]
            by_id[row["trajectory_id"]] = (*place, text, row["answer"], row["correct"])
    num_places = len({row[:2] for row in by_id.values()})
    if num_places != len(by_id):
        complaints.append(f"{len(by_id)} solutions in {num_places} places")
    return Solutions(by_id, len(look_at_files(root))), complaints


def check_store(root: Path, expected: Solutions, committed: Files, before: Starts) -> list[str]:
    """Faults of a store after a rerun; empty if it has none.

    Args:
        root: the store.
        expected: what an undisturbed run makes.
        committed: the files that existed when something was killed.
        before: the units started when something was killed, or more.
    """
    found, complaints = read_solutions(root)
    if missing := expected.by_id.keys() - found.by_id.keys():
        complaints.append(f"{len(missing)} solutions are missing, such as {min(missing)}")
    if unknown := found.by_id.keys() - expected.by_id.keys():
        complaints.append(f"{len(unknown)} solutions should not be, such as {min(unknown)}")
    for trajectory_id in expected.by_id.keys() & found.by_id.keys():
        if found.by_id[trajectory_id][:2] != expected.by_id[trajectory_id][:2]:
            complaints.append(f"{trajectory_id} has another problem or index")
    if found.num_files != expected.num_files:
        complaints.append(f"expected {expected.num_files} files, got {found.num_files}")
    now = look_at_files(root)
    if changed := [file.name for file, what in committed.items() if now.get(file) != what]:
        complaints.append(f"written again: {', '.join(changed)}")
    there = {str(file.relative_to(root)) for file in committed}
    if again := sorted({unit for unit, _ in read_starts(root)[len(before) :]} & there):
        complaints.append(f"started again after their commit: {', '.join(again)}")
    return complaints


def share_of_same(root: Path, expected: Solutions) -> float:
    """The share of solutions that are the same, word for word, as in an undisturbed run."""
    found, _ = read_solutions(root)
    same = sum(found.by_id.get(key) == row for key, row in expected.by_id.items())
    return round(same / len(expected.by_id), 4)


def look_at_files(root: Path) -> Files:
    """Every committed file of solutions."""
    found = {}
    for file in root.glob(f"{TRAJECTORIES.name}/run_id=*/stage=sampling/*.parquet"):
        status = file.stat()
        found[file] = status.st_ino, status.st_mtime_ns
    return found


def read_starts(root: Path) -> Starts:
    """Every start of a unit's work so far."""
    file = Path(f"{root}.begun")
    lines = file.read_text().splitlines() if file.exists() else []
    return [(unit, process) for unit, process in (line.split() for line in lines)]


def count_lost(starts: Sequence[tuple[str, str]]) -> Counter[str]:
    """By process, the starts of units that were followed by another start."""
    last = {unit: index for index, (unit, _) in enumerate(starts)}
    return Counter(process for index, (unit, process) in enumerate(starts) if index != last[unit])
