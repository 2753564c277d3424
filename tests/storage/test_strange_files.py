"""Files that no stepmill writes: named and left out, and SQL goes on; links are refused."""

import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreUnusable
from schemas.rows import TABLES, to_table
from storage import Store, connect, query
from storage.inspection import inspect, quarantine


def _nanoseconds(table):
    place = table.schema.get_field_index("created_at")
    times = table["created_at"].cast(pa.timestamp("ns", tz="UTC"))
    return table.set_column(place, "created_at", times)


def _texts(table):
    place = table.schema.get_field_index("steps")
    return table.set_column(place, "steps", pa.array([["one", "two"]] * len(table)))


STRANGE = {
    "nanoseconds": _nanoseconds,
    "list of texts": _texts,
    "column twice": lambda table: table.append_column("answer", table["answer"]),
}


@pytest.fixture
def filled(store, unit_of, make_trajectory):
    """A store with one good file."""
    store.commit(unit_of("trajectories", "good"), [make_trajectory("good")])
    return store


@pytest.mark.parametrize("kind", ["nanoseconds", "list of texts", "column twice"])
@pytest.mark.parametrize("is_alone", [False, True])
def test_a_file_of_strange_columns_is_named_and_sql_goes_on(
    store, unit_of, make_trajectory, kind, is_alone
):
    if not is_alone:
        store.commit(unit_of("trajectories", "good"), [make_trajectory("good")])
    path = unit_of("trajectories", "strange").path
    (store.root / path).parent.mkdir(parents=True, exist_ok=True)
    table = to_table(TABLES["trajectories"], [make_trajectory("strange")])
    pq.write_table(STRANGE[kind](table), store.root / path)
    connection = connect(store.root)
    ((skipped, reason),) = query(connection, "select * from skipped_files").fetchall()
    assert (skipped, bool(reason)) == (path, True)
    found = query(connection, "select trajectory_id, len(steps) from graded").fetchall()
    assert [name for name, _ in found] == ([] if is_alone else ["good"])
    assert list(inspect(store).unusable) == [path]


@pytest.mark.parametrize("kind", ["link", "dangling link", "FIFO", "folder"])
def test_what_is_no_file_is_named_and_never_opened(
    filled, unit_of, make_trajectory, tmp_path, kind
):
    unit = unit_of("trajectories", "strange")
    place = filled.root / unit.path
    match kind:
        case "FIFO":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case _:
            target = tmp_path / "elsewhere.parquet"
            if kind == "link":
                target.write_bytes((place.parent / "good.parquet").read_bytes())
            place.symlink_to(target)
    connection = connect(filled.root)
    assert query(connection, "select trajectory_id from graded").fetchall() == [("good",)]
    with pytest.raises(StoreUnusable, match=r"strange\.parquet is no file but"):
        filled.has(unit)
    with pytest.raises(StoreUnusable, match=r"strange\.parquet is no file but"):
        filled.commit(unit, [make_trajectory("new")])
    if kind != "folder":
        named = query(connection, "select path, reason from skipped_files").fetchall()
        assert [path for path, _ in named] == [unit.path]
        assert "it is no file but a" in inspect(filled).unusable[unit.path]
        quarantine(filled, [unit.path])
        filled.commit(unit, [make_trajectory("new")])
        assert query(connect(filled.root), "select count(*) from graded").fetchall() == [(2,)]


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_linked_folder_of_a_table_is_refused_by_readers_and_writers(
    filled, unit_of, make_trajectory, tmp_path, depth
):
    unit = unit_of("trajectories", "good")
    folder = filled.root.joinpath(*unit.path.split("/")[:depth])
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")
    opened = Store(filled.root)
    for use in (
        lambda: connect(filled.root),
        lambda: opened.has(unit),
        lambda: opened.missing([unit]),
        lambda: opened.read(unit.path),
        lambda: opened.commit(unit, [make_trajectory("x")]),
    ):
        with pytest.raises(StoreUnusable, match="is a link: a folder of a table"):
            use()


def test_a_linked_store_is_a_store(filled, tmp_path):
    (tmp_path / "linked").symlink_to(filled.root)
    found = query(connect(tmp_path / "linked"), "select trajectory_id from graded").fetchall()
    assert found == [("good",)]


def test_a_clock_that_is_ahead_removes_nothing_that_is_being_written(store):
    """What is held is kept however old it looks; what nobody holds goes."""
    with store.scratch() as scratch:
        (scratch / "half").write_bytes(b"half")
        left = scratch.parent / "left.parquet"
        left.write_bytes(b"of a killed process")
        pipe = scratch.parent / "pipe"
        os.mkfifo(pipe)
        long_ago = time.time() - 3 * 24 * 3600
        for path in (scratch, left, pipe):
            os.utime(path, (long_ago, long_ago))
        Store(store.root).files_root.scratch_parent()
        assert sorted(path.name for path in scratch.parent.iterdir()) == [scratch.name]
        assert (scratch / "half").read_bytes() == b"half"
