"""SQL over a store can only read that store: attempted escapes, and queries that work."""

import os
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import Store, connect, query
from storage.reading import check_reading


@pytest.fixture
def outside(tmp_path):
    """Files beside the store that must not be readable."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "secret.csv").write_text("a,b\n1,2\n")
    pq.write_table(pa.table({"a": [1]}), folder / "secret.parquet")
    with duckdb.connect(folder / "other.db") as database:
        database.execute("create table t as select 1 as a")
    return folder


@pytest.fixture
def filled(store, unit_of, make_problem):
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0")])
    return store


def tree(store):
    return {path: path.lstat().st_mtime_ns for path in store.root.rglob("*")}


@pytest.mark.parametrize(
    "sql",
    [
        "copy (select 1) to '{root}/x.parquet'",
        "copy (select 1) to '{outside}/x.parquet'",
        "copy files from '{outside}/secret.csv'",
        "/* select */ copy (select 1) to '{root}/x.parquet'",
        "-- select\ncopy (select 1) to '{root}/x.parquet'",
        "with x as (copy (select 1) to '{root}/x.parquet') select * from x",
        "with y as (select 1), x as materialized (copy (select 1) to '{root}/x') select * from x",
        "with x as (insert into files values ('a', 1) returning *) select * from x",
        "with x as (update files set path = 'a' returning *) select * from x",
        "with x as (delete from files returning *) select * from x",
        "explain copy (select 1) to '{root}/x.parquet'",
        "explain analyze copy (select 1) to '{root}/x.parquet'",
        "explain (analyze) copy (select 1) to '{root}/x.parquet'",
        "explain (analyze, format json) copy (select 1) to '{root}/x.parquet'",
        "explain/* */analyze/* */copy (select 1) to '{root}/x.parquet'",
        "explain analyze with x as (copy (select 1) to '{root}/x.parquet') select * from x",
        "explain analyze insert into files values ('a', 1)",
        "explain analyze create table t as select 1",
        "explain analyze drop view problems",
        "explain analyze set threads = 1",
        "explain analyze call pragma_version()",
        "insert into files values ('a', 1)",
        "delete from files",
        "truncate files",
        "create table t as select 1",
        "create temp table t as select 1",
        "create or replace view problems as select 1",
        "create macro f(x) as x",
        "create secret s (type s3)",
        "drop view problems",
        "alter view problems rename to p",
        "comment on view problems is 'x'",
        "attach '{outside}/other.db'",
        "attach ':memory:' as other",
        "use memory",
        "install httpfs",
        "load httpfs",
        "load '{outside}/x.duckdb_extension'",
        "update extensions",
        "export database '{root}/x'",
        "import database '{outside}'",
        "set threads = 1",
        "set enable_external_access = true",
        "set allowed_directories = ['/']",
        "set lock_configuration = false",
        "set variable x = 1",
        "reset allowed_directories",
        "reset enable_external_access",
        "pragma enable_profiling",
        "pragma profiling_output = '{root}/x.json'",
        "call enable_logging(storage = 'file', storage_path = '{root}')",
        "call pragma_version()",
        "checkpoint",
        "vacuum",
        "begin transaction",
        "prepare p as insert into files values ('a', 1)",
        "execute p",
        "select 1; copy (select 1) to '{root}/x.parquet'",
        "select 1; select 2",
        "",
        "-- nothing",
    ],
)
def test_what_does_not_only_read_is_refused_and_changes_nothing(filled, outside, sql):
    connection = connect(filled.root)
    before = tree(filled)
    with pytest.raises((ValueError, duckdb.ParserException), match=r"expected|syntax error"):
        query(connection, sql.format(root=filled.root, outside=outside)).fetchall()
    assert tree(filled) == before
    assert query(connection, "select count(*) from files").fetchall() == [(1,)]
    assert query(connection, "select problem_id from problems").fetchall() == [("p0",)]


@pytest.mark.parametrize(
    "reach",
    [
        "read_text('/proc/self/environ')",
        "read_blob('/proc/self/environ')",
        "read_json('/proc/self/environ')",
        "read_csv('{outside}/secret.csv')",
        "'{outside}/secret.csv'",
        "'{outside}/secret.parquet'",
        "read_csv('{root}/../outside/secret.csv')",
        "read_csv('{root}//../outside/secret.csv')",
        "read_csv('{root}/none/../../outside/secret.csv')",
        "read_csv('../outside/secret.csv')",
        "read_csv('~/secret.csv')",
        "read_csv('/dev/stdin')",
        "read_csv('|cat {outside}/secret.csv')",
        "read_csv('file://{outside}/secret.csv')",
        "read_csv('file:{outside}/secret.csv')",
        "read_csv('file://localhost{outside}/secret.csv')",
        "read_csv('file://{root}/../outside/secret.csv')",
        "read_text('http://127.0.0.1:1/x')",
        "read_parquet('s3://bucket/x.parquet')",
        "read_parquet('hf://datasets/x/y.parquet')",
        "sniff_csv('{outside}/secret.csv')",
        "parquet_metadata('{outside}/secret.parquet')",
        "parquet_schema('{outside}/secret.parquet')",
        "read_duckdb('{outside}/other.db')",
        "sqlite_scan('{outside}/other.db', 't')",
        "glob('{outside}/*')",
        "glob('{root}/../*')",
        "glob('/etc/*')",
        "query('from read_text(''{outside}/secret.csv'')')",
        "query('copy (select 1) to ''{root}/x''')",
        "query('drop view problems')",
        "query('with x as (copy (select 1) to ''{root}/x'') select * from x')",
        "query_table(['{outside}/secret.csv'])",
        "(with x as (copy (select 1) to '{root}/x') select * from x)",
        "from_substrait('x')",
        "start_ui()",
        "enable_logging()",
    ],
)
def test_nothing_outside_the_root_can_be_reached(filled, outside, reach):
    connection = connect(filled.root)
    before = tree(filled)
    sql = f"select * from {reach.format(root=filled.root, outside=outside)}"
    with pytest.raises((duckdb.Error, ValueError)):
        query(connection, sql).fetchall()
    assert tree(filled) == before


@pytest.mark.parametrize("name", ["link.csv", "folder/secret.csv"])
def test_a_link_inside_the_root_does_not_lead_outside(filled, outside, name):
    (filled.root / "link.csv").symlink_to(outside / "secret.csv")
    (filled.root / "folder").symlink_to(outside)
    assert (filled.root / name).read_text() == "a,b\n1,2\n"
    with pytest.raises(duckdb.PermissionException):
        query(connect(filled.root), f"select * from read_csv('{filled.root}/{name}')").fetchall()


def test_a_store_behind_a_link_is_read(filled, tmp_path):
    (tmp_path / "link").symlink_to(filled.root)
    found = query(connect(tmp_path / "link"), "select problem_id from problems").fetchall()
    assert found == [("p0",)]


def test_nothing_of_the_calling_process_is_seen(filled, monkeypatch):
    import pandas as pd

    monkeypatch.setitem(os.environ, "A_SECRET", "s3cr3t")
    frame, rows = pd.DataFrame({"leak": [1]}), pa.table({"leak": [1]})
    connection = connect(filled.root)
    for sql in (
        "select * from frame",
        "from rows",
        "select * from query('from frame')",
        "select * from query_table('frame')",
        "select getenv('A_SECRET')",
        "select * from pandas_scan(0)",
    ):
        with pytest.raises(duckdb.Error):
            query(connection, sql).fetchall()
    assert len(frame) == rows.num_rows == 1


def test_settings_are_locked_for_those_who_do_not_go_through_query(filled):
    connection = connect(filled.root)
    for change in ("enable_external_access = true", "allowed_directories = ['/']", "threads = 1"):
        with pytest.raises(duckdb.Error):
            connection.execute(f"set {change}")
    settings = dict(connection.execute("select name, value from duckdb_settings()").fetchall())
    assert settings["enable_external_access"] == "false"
    assert settings["autoload_known_extensions"] == "false"
    assert str(Path.cwd()) not in settings["allowed_directories"]


@pytest.mark.parametrize(
    "sql",
    [
        "select 1",
        "(select 1) union all (select 2) order by 1",
        "with recursive t(n) as (select 1 union all select n + 1 from t where n < 3) from t",
        "values (1), (2)",
        "from problems",
        "table problems",
        "describe problems",
        "summarize problems",
        "show tables",
        "select * from (pivot problems on split in ('dev') using count(*))",
        "select 'with x as (copy y to z)' as \"type\", 'COPY_QUERY_NODE' as node",
        "explain select * from problems",
        "explain analyze select * from problems",
        "explain (format json) select 1",
        "-- why\nexplain /* how */ select 1;",
        "explain (select 1)",
    ],
)
def test_what_reads_goes_through(filled, sql):
    assert query(connect(filled.root), sql).fetchall()


def test_an_open_result_of_the_caller_stays_open(filled):
    connection = connect(filled.root)
    result = connection.execute("select unnest(range(5000)) as n")
    assert result.fetchone() == (0,)
    check_reading(connection, "select 1")
    assert result.fetchone() == (1,)


def test_the_same_holds_for_a_root_with_odd_characters(tmp_path):
    store = Store(tmp_path / "it's [a] *store*")
    (tmp_path / "it's a xstorex").mkdir()
    (tmp_path / "it's a xstorex" / "secret.csv").write_text("a\n1\n")
    beside = str(tmp_path / "it''s a xstorex" / "secret.csv")
    with pytest.raises(duckdb.PermissionException):
        query(connect(store.root), f"select * from read_csv('{beside}')").fetchall()
