"""Single flipped bits in committed files: no value changes silently."""

import os

import pytest

from schemas.errors import StoreUnusable
from storage import Store, connect, query
from storage.compaction import compact
from storage.inspection import inspect
from storage.roots import VERIFIED

_COLUMNS = ["problem_id", "answer", "level"]


@pytest.fixture
def committed(store, unit_of, make_problem):
    """A small file, whose rows are text, numbers and nulls."""
    unit = unit_of("problems")
    store.commit(unit, [make_problem("p0"), make_problem("p1")])
    return store.root / unit.path, unit.path


def flip(path, whole, place):
    """Write the file with one bit of this byte flipped; each byte has another bit flipped."""
    changed = bytearray(whole)
    changed[place] ^= 1 << (place % 8)
    path.write_bytes(changed)


def test_no_flipped_bit_of_any_byte_is_read_as_rows(store, committed):
    file, path = committed
    whole = file.read_bytes()
    for place in range(len(whole)):
        flip(file, whole, place)
        with pytest.raises(StoreUnusable, match=r"u0\.parquet|unit"):
            store.read(path)


def test_columns_and_counts_are_those_written_or_refused(store, committed):
    file, path = committed
    whole, columns = file.read_bytes(), store.columns(path, _COLUMNS)
    num_refused = 0
    for place in range(0, len(whole), 2):
        flip(file, whole, place)
        for read, expected in (
            (lambda: store.columns(path, _COLUMNS), columns),
            (lambda: store.num_rows(path), 2),
        ):
            try:
                assert read() == expected, place
            except StoreUnusable:
                num_refused += 1
    assert num_refused > len(whole) / 4


def test_folded_rows_are_those_written_or_refused(store, unit_of, make_problem):
    units = [unit_of("problems", f"u{i}") for i in range(2)]
    for unit in units:
        store.commit(unit, [make_problem(unit.name)])
    compact(store)
    file = next(store.root.rglob("folded-*.parquet"))
    whole, rows = file.read_bytes(), store.read(units[1].path)
    for place in range(0, len(whole), 2):
        flip(file, whole, place)
        try:
            assert Store(store.root).read(units[1].path) == rows, place
        except (StoreUnusable, FileNotFoundError):
            continue


def test_doctor_names_a_flipped_bit_of_any_byte(store, committed):
    file, path = committed
    whole = file.read_bytes()
    for place in range(0, len(whole), 5):
        flip(file, whole, place)
        found = inspect(store, deep=True)
        assert list(found.unusable) == [path], place


def test_sql_leaves_a_flipped_bit_out_and_names_the_file(store, committed):
    file, path = committed
    whole = file.read_bytes()
    for place in (5, 40, len(whole) // 2, len(whole) - 200, len(whole) - 20):
        flip(file, whole, place)
        connection = connect(store.root)
        assert query(connection, "select count(*) from problems").fetchall() == [(0,)]
        ((skipped, reason),) = query(connection, "select * from skipped_files").fetchall()
        assert (skipped, bool(reason)) == (path, True)
        connection.close()
    file.write_bytes(whole)
    assert query(connect(store.root), "select count(*) from problems").fetchall() == [(2,)]


def test_a_verified_file_is_not_read_again_until_it_changes(store, committed):
    file, path = committed
    connect(store.root).close()
    known = (store.root / VERIFIED).read_bytes()
    assert len(known) == 8
    connect(store.root).close()
    assert (store.root / VERIFIED).read_bytes() == known
    times = file.stat().st_mtime_ns
    flip(file, file.read_bytes(), 40)
    os.utime(file, ns=(times, times))
    # A change that leaves no trace in the file system is for `doctor --deep`.
    assert query(connect(store.root), "select * from skipped_files").fetchall() == []
    assert list(inspect(store, deep=True).unusable) == [path]
    os.utime(file)
    assert len(query(connect(store.root), "select * from skipped_files").fetchall()) == 1
