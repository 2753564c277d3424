"""A connection that follows the store: new files, files that are gone, limits."""

import threading

import pyarrow.parquet as pq
import pytest

from schemas.rows import TRAJECTORIES, to_table
from storage import connect
from storage.compaction import compact
from storage.viewing import LiveCatalog, Snapshot, TooSlow


@pytest.fixture
def many(store, unit_of, make_trajectory):
    """30 files of two rows, three of which lack columns that were added later."""
    for n in range(30):
        unit = unit_of("trajectories", name=f"eval.{n:05d}")
        rows = [make_trajectory(f"t{n:02d}-{i}", reward=float(n), round=n) for i in range(2)]
        store.commit(unit, rows)
        if n % 10 == 7:
            path = store.root / unit.path
            table = to_table(TRAJECTORIES, rows)
            older = table.drop_columns(["reward", "check_result", "num_retrievals"])
            path.unlink()
            pq.write_table(older, path)
    return store


def test_rows_are_those_of_any_other_connection(many):
    sql = "select * from trajectories order by trajectory_id"
    seen = LiveCatalog(many.url).snapshot().rows(sql)
    with connect(many.url) as connection:
        expected = connection.sql(sql).to_arrow_table().to_pylist()
    assert [row["reward"] for row in seen[12:18]] == [6.0, 6.0, None, None, 8.0, 8.0]
    assert [list(row) for row in seen] == [list(row) for row in expected]
    assert [row["trajectory_id"] for row in seen] == [row["trajectory_id"] for row in expected]
    assert [row["steps"] for row in seen] == [row["steps"] for row in expected]
    views = LiveCatalog(many.url).snapshot()
    assert views.rows("select count(*) as num from graded where reward > 20") == [{"num": 16}]


def test_files_that_appear_are_seen(many, unit_of, make_trajectory):
    catalog = LiveCatalog(many.url, look_every_s=0.0)
    sql = "select count(*) as num from trajectories"
    assert catalog.snapshot().rows(sql) == [{"num": 60}]
    many.commit(unit_of("trajectories", name="eval.00030"), [make_trajectory("new")])
    catalog.snapshot()
    catalog.wait()
    assert catalog.snapshot().rows(sql) == [{"num": 61}]


def test_compaction_does_not_wait_for_a_viewer_which_finds_the_rows_again(many):
    catalog = LiveCatalog(many.url, look_every_s=1e9)
    catalog.snapshot()
    compact(many)
    sql = "select count(distinct answer) as num, count(*) as all from trajectories"
    assert catalog.answer(lambda snapshot: snapshot.rows(sql)) == [{"num": 1, "all": 60}]


def test_before_all_files_were_looked_at_some_tables_have_rows_and_all_files_are_listed(
    many, unit_of, make_problem
):
    many.commit(unit_of("problems", name="eval", stage="problems"), [make_problem("p0")])
    first = Snapshot(many.url, memory_limit=None, damaged={}, tables=("problems",))
    assert not first.is_whole
    assert first.rows("select problem_id from problems") == [{"problem_id": "p0"}]
    assert first.rows("select count(*) as num from graded") == [{"num": 0}]
    listed = "select table_name, count(*) as num from files group by all order by all"
    assert first.rows(listed) == [
        {"table_name": "problems", "num": 1}, {"table_name": "trajectories", "num": 30},
    ]  # fmt: skip
    catalog = LiveCatalog(many.url, patience_s=60.0)
    opened = catalog.first()  # it waits as long
    assert opened.is_whole
    assert opened.rows(listed) == first.rows(listed)


def test_what_takes_long_is_made_while_a_page_does_without(many):
    snapshot = Snapshot(many.url, memory_limit=None, damaged={})  # it waits for nothing
    go_on, made = threading.Event(), []

    def make():
        made.append(1)
        return go_on.wait(60)

    assert snapshot.soon("key", make) is None
    assert snapshot.soon("key", make) is None
    go_on.set()
    assert snapshot.cached("key", make) is True
    assert made == [1]


def test_a_failure_of_what_was_made_meanwhile_is_told(many):
    snapshot = Snapshot(many.url, memory_limit=None, damaged={}, patience_s=60.0)
    with pytest.raises(ZeroDivisionError):
        snapshot.soon("key", lambda: 1 // 0)
    assert snapshot.soon("key", lambda: 1) == 1


def test_a_slow_statement_is_ended(many):
    snapshot = LiveCatalog(many.url).snapshot()
    sql = "select count(*) from range(1000000) a, range(1000000) b where a.range % 7 = b.range % 5"
    with pytest.raises(TooSlow, match=r"0\.1 s"):
        snapshot.select(sql, max_rows=1, timeout_s=0.1)
    assert snapshot.select("select 1 as a", max_rows=1).rows == [("1",)]


def test_a_caller_gets_some_rows_and_is_told_of_more(many):
    found = LiveCatalog(many.url).snapshot().select("select range from range(9)", max_rows=4)
    assert (found.rows, found.is_cut) == ([("0",), ("1",), ("2",), ("3",)], True)


@pytest.mark.parametrize("sql", ["create table x as select 1", "select 1; select 2"])
def test_only_statements_that_read_are_accepted(many, sql):
    snapshot = LiveCatalog(many.url).snapshot()
    with pytest.raises(ValueError, match="expected"):
        snapshot.rows(sql)
    with pytest.raises(ValueError, match="expected"):
        snapshot.select(sql, max_rows=1)
