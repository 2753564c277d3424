"""Unreadable files of every table: named, left out, moved away, and made again."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreUnusable
from schemas.rows import RUNS, SCHEMA_VERSION, TABLES, RunEvent, now, to_table
from storage import Store, connect, query
from storage.inspection import QUARANTINE, inspect, leftovers, probe, quarantine


def cut(whole):
    return whole[: len(whole) // 2]


def spoil_footer(whole):
    return whole[:4] + b"\xff" * (len(whole) - 12) + whole[-8:]


DAMAGES = {
    "empty": lambda whole: b"",
    "cut": cut,
    "one byte short": lambda whole: whole[:-1],
    "footer": spoil_footer,
    "text": lambda whole: b"not a Parquet file, but long enough to be one",
}


@pytest.fixture
def fill(store, unit_of, make_problem, make_trajectory):
    """Commit two units of a table, and damage the second."""

    def fill_table(table, damage):
        schema = TABLES[table].schema
        rows = {"problems": make_problem(), "trajectories": make_trajectory()}
        for name in ("whole", "damaged"):
            row = [rows[table]] if table in rows else schema.empty_table()
            store.commit(unit_of(table, name), row)
        unit = unit_of(table, "damaged")
        path = store.root / unit.path
        path.write_bytes(damage(path.read_bytes()))
        return unit

    return fill_table


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("table", TABLES)
def test_a_damaged_file_is_named_and_left_out(store, fill, table, damage):
    unit = fill(table, DAMAGES[damage])
    connection = connect(store.root)
    found = query(connection, "select path, reason from skipped_files").fetchall()
    assert [path for path, _ in found] == [unit.path]
    assert found[0][1]
    there = query(connection, "select path from files").fetchall()
    assert there == [(unit.path.replace("damaged", "whole"),)]
    query(connection, f"select * from {table}").fetchall()
    assert list(inspect(store).unusable) == [unit.path]


@pytest.mark.parametrize("damage", ["cut", "footer"])
def test_who_needs_a_damaged_file_is_told_its_name(store, fill, damage):
    unit = fill("trajectories", DAMAGES[damage])
    for read in (
        lambda: store.read(unit.path),
        lambda: store.receipt(unit),
        lambda: store.num_rows(unit.path),
    ):
        with pytest.raises(StoreUnusable, match=r"damaged\.parquet .*doctor --repair"):
            read()


def test_a_damaged_folded_file_is_named(store, unit_of):
    unit = unit_of("problems")
    folder = (store.root / unit.path).parent
    folder.mkdir(parents=True)
    name = f"folded-{'0' * 32}.parquet"
    (folder / name).write_bytes(b"PAR1 cut off")
    with pytest.raises(StoreUnusable, match=name):
        store.has(unit)


def test_a_quarantined_file_is_kept_and_its_unit_is_missing_again(store, fill, make_trajectory):
    unit = fill("trajectories", cut)
    damaged = (store.root / unit.path).read_bytes()
    moved = quarantine(store, list(inspect(store).unusable))
    assert moved == [f"{QUARANTINE}/{unit.path}"]
    assert (store.root / moved[0]).read_bytes() == damaged
    assert store.missing([unit]) == [unit]
    assert inspect(store).unusable == {}
    store.commit(unit, [make_trajectory("again")])
    assert query(connect(store.root), "select count(*) from trajectories").fetchall() == [(2,)]
    (store.root / unit.path).write_bytes(damaged)
    again = quarantine(store, [unit.path])
    assert again != moved
    assert (store.root / moved[0]).exists()
    assert pq.read_table(store.root / "trajectories").num_rows == 1


def test_rows_that_cannot_be_read_behind_a_good_footer_are_found_when_all_are_read(
    store, unit_of, make_trajectory
):
    unit = unit_of("trajectories")
    store.commit(unit, [make_trajectory(f"t{i}") for i in range(200)])
    path = store.root / unit.path
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 2000 + whole[2004:])
    assert inspect(store).unusable == {}
    assert list(inspect(store, deep=True).unusable) == [unit.path]


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"trajectory_id": [3], "steps": ["x"]}, "its column trajectory_id is int64"),
        ({"a": [1]}, "it has no column trajectory_id"),
    ],
)
def test_a_file_of_other_columns_is_named_and_does_not_stop_sql(store, unit_of, columns, reason):
    path = unit_of("trajectories", "theirs").path
    (store.root / path).parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), store.root / path)
    connection = connect(store.root)
    ((skipped, why),) = query(connection, "select path, reason from skipped_files").fetchall()
    assert skipped == path
    assert reason in why
    assert query(connection, "select count(*) from graded").fetchall() == [(0,)]
    assert reason in inspect(store).unusable[path]
    with pytest.raises(StoreUnusable, match=r"theirs\.parquet"):
        store.read(path)


def test_files_of_the_first_schema_version_alone_are_read(store, unit_of):
    event = RunEvent(
        flow="f",
        state="started",
        config="{}",
        config_hash="h",
        code_version="1",
        message=None,
        happened_at=now(),
    )
    path = store.root / unit_of("runs", "started").path
    path.parent.mkdir(parents=True)
    pq.write_table(to_table(RUNS, [event]).drop_columns(["part"]), path)
    found = query(connect(store.root), "select flow, part, state from run_state").fetchall()
    assert found == [("f", None, "started")]


def test_files_that_are_not_of_the_layout_are_foreign(store, unit_of, make_problem):
    store.commit(unit_of("problems"), [make_problem()])
    names = ("problems/mine.parquet", "trajectories/run_id=a/notes.txt")
    for name in names:
        (store.root / name).parent.mkdir(parents=True, exist_ok=True)
        (store.root / name).write_bytes(b"mine")
    (store.root / "reports").mkdir()
    (store.root / "reports" / "picture.png").write_bytes(b"picture")
    found = inspect(store)
    assert sorted(found.foreign) == sorted(names)
    assert found.unusable == {}
    assert query(connect(store.root), "select count(*) from problems").fetchall() == [(1,)]


def test_files_of_a_newer_version_are_told_from_damaged_ones(store, unit_of, make_problem):
    unit = unit_of("problems")
    table = to_table(TABLES["problems"], [make_problem()])
    newer = {b"stepmill_schema_version": str(SCHEMA_VERSION + 1).encode()}
    (store.root / unit.path).parent.mkdir(parents=True)
    pq.write_table(table.replace_schema_metadata(newer), store.root / unit.path)
    found = inspect(store)
    assert (list(found.newer), found.unusable) == ([unit.path], {})


def test_a_newer_store_is_refused_by_all_who_open_it(store):
    marker = {"schema_version": SCHEMA_VERSION + 1}
    (store.root / "stepmill.json").write_text(json.dumps(marker))
    for open_it in (Store, connect):
        with pytest.raises(StoreUnusable, match="use a newer stepmill"):
            open_it(store.root)


def test_what_a_killed_process_left_is_listed_with_its_size(store):
    (store.root / ".staging" / "left.parquet").write_bytes(b"half")
    (store.root / ".staging" / "folder").mkdir()
    (store.root / ".staging" / "folder" / "weights").write_bytes(b"123456")
    found = {left.path: left.num_bytes for left in leftovers(store.files_root)}
    assert found == {".staging/left.parquet": 4, ".staging/folder": 6}


def test_a_probe_leaves_nothing(store):
    probe(store.files_root)
    assert list((store.root / ".staging").iterdir()) == []


def test_an_id_that_is_there_twice_is_found(store, unit_of, make_trajectory):
    store.commit(unit_of("trajectories", "u0"), [make_trajectory("a"), make_trajectory("b")])
    store.commit(unit_of("trajectories", "u1"), [make_trajectory("b")])
    store.commit(unit_of("trajectories", run_id="other"), [make_trajectory("a")])
    found = query(connect(store.root), "select * from duplicate_ids").fetchall()
    assert found == [("run", "b", 2)]
