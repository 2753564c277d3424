"""A full disk, and one that cannot be written to: small file systems in memory."""

import os
import subprocess
from pathlib import Path

import pytest

from schemas.errors import StoreUnusable
from schemas.rows import PROBLEMS
from storage import Store, connect, query
from storage.inspection import probe

NUM_PROBLEMS = 5000


@pytest.fixture
def small_disk(tmp_path):
    """An empty file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "stepmill-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a tmpfs is not allowed here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def many(make_problem):
    """More rows than the disk has room for."""
    return [make_problem(f"p{i}", question=os.urandom(200).hex()) for i in range(NUM_PROBLEMS)]


def remount(folder: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(folder)], check=True)


def test_a_commit_on_a_full_disk_fails_and_leaves_nothing(small_disk, unit_of, make_problem, many):
    store, unit = Store(small_disk), unit_of("problems", "large")
    store.commit(unit_of("problems", "small"), [make_problem("p")])
    free = os.statvfs(small_disk).f_bavail
    with pytest.raises(OSError, match="No space left"):
        store.commit(unit, many)
    assert not store.has(unit)
    assert list((small_disk / ".staging").iterdir()) == []
    assert os.statvfs(small_disk).f_bavail == free
    assert query(connect(small_disk), "select count(*) from problems").fetchall() == [(1,)]
    remount(small_disk, "size=64m")
    assert store.commit(unit, many).num_rows == NUM_PROBLEMS
    assert store.read(unit.path) == many


def test_a_full_disk_is_the_machinerys_fault(small_disk, unit_of, many):
    from tasks.engines.faults import is_infrastructure_fault

    with pytest.raises(OSError, match="No space left") as caught:
        Store(small_disk).commit(unit_of("problems"), many)
    assert is_infrastructure_fault(caught.value)


@pytest.mark.slow
def test_a_run_on_a_full_disk_stops_with_the_reason_and_a_rerun_finishes(
    small_disk, prefect_server, unit_of
):
    from flows.runs.units import UnitsFailed
    from flows.sampling import sample
    from schemas.engines import MarkovConfig
    from schemas.problems import WorldProblemsConfig
    from schemas.sampling import SamplingConfig, SamplingJob
    from tasks.engines.markov_engine import markov_problems

    store = Store(small_disk)
    store.commit(unit_of(PROBLEMS.name, "eval", stage="problems"), markov_problems(20, seed=3))
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(num_steps=4, p_right=0.8),
        sampling=SamplingConfig(num_samples=4, max_tokens=10, trajectories_per_unit=20),
    )
    filler = small_disk / "filler"
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, os.statvfs(small_disk).f_bavail * 4096)
    with pytest.raises((UnitsFailed, OSError), match="No space left"):
        sample(job, store.url, "run")
    assert query(connect(store.url), "select count(*) from trajectories").fetchall() == [(0,)]
    filler.unlink()
    sample(job, store.url, "run")
    counts = "count(*), count(distinct trajectory_id)"
    found = query(connect(store.url), f"select {counts} from trajectories").fetchall()
    assert found == [(80, 80)]


def test_a_store_that_cannot_be_written_is_read_all_the_same(small_disk, unit_of, make_problem):
    store, unit = Store(small_disk), unit_of("problems")
    store.commit(unit, [make_problem("p0")])
    remount(small_disk, "ro")
    assert query(connect(small_disk), "select problem_id from problems").fetchall() == [("p0",)]
    assert Store(small_disk).read(unit.path)[0].problem_id == "p0"
    for write in (
        lambda: store.commit(unit_of("problems", "u1"), [make_problem()]),
        lambda: probe(store.files_root),
    ):
        with pytest.raises(OSError, match=f"Read-only file system: '{small_disk}"):
            write()


def test_a_store_cannot_be_made_where_nothing_can_be_written(small_disk):
    remount(small_disk, "ro")
    with pytest.raises(StoreUnusable, match=f"{small_disk}/store.*Read-only file system"):
        Store(small_disk / "store")
