"""Folding a folder while others read and write, killed in the middle, and before a run resumes."""

import signal
import subprocess
import sys
import textwrap
import threading

import duckdb
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreUnusable
from schemas.rows import PROBLEMS, TRAJECTORIES
from storage import Store, connect, query
from storage.compaction import compact, copy_store

NUM_UNITS = 30


@pytest.fixture
def full(store, unit_of, make_trajectory, make_problem):
    """Thirty units of 0, 1, 2, 0, 1, ... rows, and a unit of problems."""
    for index in range(NUM_UNITS):
        rows = [make_trajectory(f"t{index}-{row}") for row in range(index % 3)]
        store.commit(unit_of("trajectories", f"set.{index:05d}"), rows, seconds=float(index))
    store.commit(unit_of("problems", "set", stage="problems"), [make_problem()])
    return store


def ids(store):
    sql = "select trajectory_id from trajectories order by 1"
    return [row[0] for row in query(connect(store.url), sql).fetchall()]


def by_hand(store):
    """What a tool that does not know stepmill sees."""
    pattern = f"{store.root}/trajectories/**/*.parquet"
    sql = f"select trajectory_id from read_parquet('{pattern}') order by 1"
    return [row[0] for row in duckdb.connect().execute(sql).fetchall()]


def test_a_folded_folder_holds_the_same_rows_in_one_file(full, unit_of):
    before, folder = ids(full), full.root / "trajectories/run_id=run/stage=sampling"
    rows = {p: full.read(p) for p in full.files("trajectories", run_id="run", stage="sampling")}
    (folding,) = compact(full)
    assert (folding.files_before, folding.files_after, folding.num_units) == (30, 1, 30)
    assert folding.num_rows == len(before) == 30
    assert [path.name[:7] for path in folder.iterdir()] == ["folded-"]
    assert ids(full) == before == by_hand(full)
    table = ds.dataset(full.root / "trajectories", partitioning="hive").to_table()
    assert sorted(table["trajectory_id"].to_pylist()) == before
    # A unit's path still names its rows, for this Store and for a new one.
    for store in (full, Store(full.url)):
        assert store.files("trajectories", run_id="run", stage="sampling") == list(rows)
        for path, expected in rows.items():
            assert store.read(path) == expected
            assert store.num_rows(path) == len(expected)
        assert store.read("trajectories/run_id=run/stage=sampling/set.00005.parquet", (1, 2)) == [
            rows["trajectories/run_id=run/stage=sampling/set.00005.parquet"][1]
        ]
        units = [unit_of("trajectories", f"set.{index:05d}") for index in (0, 7, 30)]
        assert store.missing(units) == [units[2]]
        assert store.has(units[1])
        assert not store.has(units[2])
        receipt = store.receipt(units[1])
        assert (receipt.num_rows, receipt.seconds, receipt.was_there) == (1, 7.0, True)
    found = query(connect(full.url), "select count(*), sum(num_rows), sum(seconds) from units")
    assert found.fetchall() == [(31, 31, sum(range(30)))]
    assert compact(full) == []
    assert [path.name for path in (full.root / ".staging").iterdir()] == []


def test_a_folded_unit_is_not_committed_again(full, unit_of, make_trajectory):
    compact(full)
    receipt = full.commit(unit_of("trajectories", "set.00001"), [make_trajectory("other")] * 5)
    assert receipt.was_there
    assert receipt.num_rows == 1
    assert "other" not in ids(full)


def test_units_that_come_later_are_folded_with_the_others(full, unit_of, make_trajectory):
    compact(full)
    full.commit(unit_of("trajectories", "late"), [make_trajectory("late")])
    before = ids(full)
    (folding,) = compact(full)
    assert (folding.files_before, folding.files_after, folding.num_units) == (2, 1, 31)
    assert ids(full) == before == by_hand(full)
    assert full.read(unit_of("trajectories", "late").path)[0].trajectory_id == "late"
    assert full.receipt(unit_of("trajectories", "set.00008")).num_rows == 2


def test_one_run_alone_can_be_folded(full, unit_of, make_trajectory):
    for name in ("a", "b"):
        full.commit(unit_of("trajectories", name, run_id="second"), [make_trajectory(name)])
    (folding,) = compact(full, run_id="second")
    assert folding.folder == "trajectories/run_id=second/stage=sampling"


def test_files_of_others_and_damaged_ones_stay_where_they_are(full, unit_of, make_trajectory):
    folder = full.root / "trajectories/run_id=run/stage=sampling"
    (folder / "set.00002.parquet").write_bytes(b"PAR1 no longer")
    pq.write_table(ds.dataset(folder / "set.00004.parquet").to_table().select([0]), folder / "x.pq")
    (folder / "notes.txt").write_text("mine")
    compact(full)
    names = sorted(path.name for path in folder.iterdir())
    assert [name for name in names if "folded" not in name] == [
        "notes.txt",
        "set.00002.parquet",
        "x.pq",
    ]
    assert len(ids(full)) == 28


def test_files_of_an_older_version_are_folded_with_null_columns(store, unit_of):
    from schemas.rows import RUNS, RunEvent, now

    event = {
        "flow": "factory",
        "state": "started",
        "config": "{}",
        "config_hash": "h",
        "code_version": "1",
        "message": None,
        "happened_at": now(),
    }
    old = unit_of("runs", "old", stage="factory")
    store.commit(old, [RunEvent(**event)])
    store.commit(unit_of("runs", "new", stage="factory"), [RunEvent(**event, part="eval")])
    table = pq.ParquetFile(store.root / old.path).read().drop_columns(["part"])
    metadata = {b"stepmill_schema_version": b"1"}
    pq.write_table(table.replace_schema_metadata(metadata), store.root / old.path)
    assert [row.part for row in store.read(old.path)] == [None]
    (folding,) = compact(store)
    assert folding.num_rows == 2
    assert [row.part for row in store.read(old.path)] == [None]
    assert RUNS.schema.names == pq.read_schema(next(store.root.rglob("folded-*.parquet"))).names


def test_an_open_connection_reads_on_and_folding_waits_for_it(full):
    connection, before = connect(full.url), ids(full)
    with pytest.raises(StoreUnusable, match="it has been read for"):
        compact(full, timeout_s=0)
    found = query(connection, "select trajectory_id from trajectories order by 1").fetchall()
    assert [row[0] for row in found] == before
    connection.close()
    del connection
    assert len(compact(full)) == 1


def test_readers_and_writers_at_work_see_every_row_once(full, unit_of, make_trajectory):
    """While two threads commit and two read, the folder is folded again and again."""
    writing, problems, committed = [True, True], [], []

    def write(worker):
        store = Store(full.url)
        for index in range(60):
            name = f"w{worker}-{index:04d}"
            store.commit(unit_of("trajectories", name), [make_trajectory(name)])
            committed.append(name)
        writing[worker] = False

    def read():
        while any(writing):
            at_least = set(committed)
            found = ids(full)
            if len(set(found)) != len(found) or not at_least <= set(found):
                problems.append(sorted(at_least - set(found)))

    threads = [threading.Thread(target=write, args=[w]) for w in range(2)]
    threads += [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    folded = []
    while any(writing):
        folded += compact(full)
    for thread in threads:
        thread.join()
    assert problems == []
    assert len(folded) >= 2
    assert len(ids(full)) == 30 + 120 == len(by_hand(full))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_death_at_the_exchange_loses_nothing(full, moment):
    script = textwrap.dedent(
        """
        import os, signal, sys
        import storage.compaction as compaction
        from storage import Store

        exchange = compaction._exchange

        def die(first, second):
            if sys.argv[2] == "after":
                exchange(first, second)
            os.kill(os.getpid(), signal.SIGKILL)

        compaction._exchange = die
        compaction.compact(Store(sys.argv[1]))
        """
    )
    before = ids(full)
    child = subprocess.run([sys.executable, "-c", script, full.url, moment], check=False)
    assert child.returncode == -signal.SIGKILL
    assert ids(full) == before == by_hand(full)
    files = list((full.root / "trajectories/run_id=run/stage=sampling").iterdir())
    assert len(files) == (1 if moment == "after" else NUM_UNITS)
    assert len(compact(full)) == (0 if moment == "after" else 1)
    assert ids(full) == before


def test_a_copy_is_folded_and_leaves_the_store_alone(full, tmp_path, unit_of):
    (full.root / "checkpoints/m").mkdir(parents=True)
    (full.root / "checkpoints/m/model.safetensors").write_bytes(b"weights")
    before = {path: path.stat().st_mtime_ns for path in full.root.rglob("*.parquet")}
    copy_store(full, str(tmp_path / "copy"))
    assert {path: path.stat().st_mtime_ns for path in full.root.rglob("*.parquet")} == before
    copy = Store(tmp_path / "copy", create=False)
    assert ids(copy) == ids(full) == by_hand(copy)
    assert len(list(copy.root.rglob("*.parquet"))) == 2
    for path in full.files("trajectories", run_id="run", stage="sampling"):
        assert copy.read(path) == full.read(path)
    assert (copy.root / "checkpoints/m/model.safetensors").read_bytes() == b"weights"
    with pytest.raises(StoreUnusable, match="expected an empty root"):
        copy_store(full, copy.url)


def test_a_big_folder_becomes_several_files(full, monkeypatch):
    sizes = [path.stat().st_size for path in full.root.glob("trajectories/*/*/*.parquet")]
    monkeypatch.setattr("storage.compaction._MAX_BYTES", sum(sizes) // 3)
    before = ids(full)
    (folding,) = compact(full)
    assert 3 <= folding.files_after <= 4
    assert ids(full) == before == by_hand(full)
    assert list((full.root / ".staging").iterdir()) == []


def test_small_row_groups_are_read_across_their_borders(store, unit_of, make_problem, monkeypatch):
    """Units that begin or end inside a row group, or span several."""
    monkeypatch.setattr("storage.compaction._ROW_GROUP_ROWS", 4)
    for index, size in enumerate((3, 9, 0, 1, 2, 6)):
        rows = [make_problem(f"p{index}-{row}") for row in range(size)]
        store.commit(unit_of(PROBLEMS.name, f"u{index}", stage="problems"), rows)
    paths = store.files(PROBLEMS.name, run_id="run", stage="problems")
    rows = {path: store.read(path) for path in paths}
    compact(store)
    assert pq.read_metadata(next(store.root.rglob("folded-*"))).num_row_groups > 4
    assert {path: store.read(path) for path in paths} == rows


def test_the_command_prints_what_it_did(stepmill, full):
    compacted = ("compact", "--root", full.url)
    finished = stepmill(*compacted)
    assert finished.returncode == 0
    assert "trajectories/run_id=run/stage=sampling: 30 files are 1" in finished.stderr
    finished = stepmill(*compacted, "--format", "json")
    assert (finished.returncode, finished.stdout) == (0, "[]\n")
    finished = stepmill(*compacted, "--to", "x", "--run-id", "run")
    assert finished.returncode == 2
    assert "expected --to alone" in finished.stderr


def test_folded_names_are_no_names_of_units(store, unit_of, make_trajectory):
    with pytest.raises(ValueError, match="expected 1 to 100 letters"):
        store.commit(unit_of(TRAJECTORIES.name, "folded-" + "0" * 32), [make_trajectory()])
