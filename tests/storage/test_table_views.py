"""Views over files of several schema versions, against DuckDB's own union by name."""

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.rows import TABLES, TRAJECTORIES, to_table
from storage import connect, query, verified
from storage.compaction import compact
from storage.roots import VERIFIED
from storage.table_views import no_rows, sql_type


def write(store, unit, table):
    """Put a file at a unit's path as another tool does; its columns in whatever order they are."""
    path = store.root / unit.path
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)


def by_union(store, name):
    """The rows of a table by DuckDB alone, with nulls for columns that no file has."""
    spec = TABLES[name]
    rows = (
        f"read_parquet('{store.root}/{name}/*/*/*.parquet', union_by_name = true, "
        "hive_partitioning = true, hive_types = {'run_id': varchar, 'stage': varchar})"
    )
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")
    there = [
        column for column, *_ in connection.execute(f"describe select * from {rows}").fetchall()
    ]
    columns = [f'"{c}"' if c in there else f'null as "{c}"' for c in spec.schema.names]
    sql = f"select {', '.join(columns)}, run_id, stage from {rows} order by all"
    return connection.execute(sql).fetchall()


def fill_mixed(store, unit_of, make_trajectory):
    """Files of all columns, and of random subsets and orders of them as older versions had."""
    rng = np.random.default_rng(1)
    optional = [f.name for f in TRAJECTORIES.schema if f.nullable and f.name != "role"]
    for index in range(12):
        rows = [
            make_trajectory(
                f"t{index}-{row}", role="rollout", reward=index / 4 if row else None, round=index
            )
            for row in range(1 + index % 3)
        ]
        unit = unit_of("trajectories", f"u{index:02d}", run_id=f"run{index % 3}")
        if index % 4 == 0:
            store.commit(unit, rows)
            continue
        lacking = rng.choice(optional, size=index, replace=False).tolist()
        table = to_table(TRAJECTORIES, rows).drop_columns(lacking)
        order = rng.permutation(table.column_names).tolist()
        write(store, unit, table.select(order))


def test_rows_of_mixed_versions_are_those_of_a_union_by_name(store, unit_of, make_trajectory):
    fill_mixed(store, unit_of, make_trajectory)
    expected = by_union(store, "trajectories")
    assert len(expected) == 24
    for _ in range(2):  # files that are new, and files that were seen before
        connection = connect(store.root)
        sql = "select * from trajectories order by all"
        assert query(connection, sql).fetchall() == expected
        assert query(connection, "select * from skipped_files").fetchall() == []
        connection.close()
    del connection
    compact(store)
    assert query(connect(store.root), sql).fetchall() == expected


def test_every_table_reads_a_file_of_its_oldest_columns(store, unit_of):
    """Only columns that may not be null, in the reverse order."""
    for name, spec in TABLES.items():
        needed = [field for field in reversed(list(spec.schema)) if not field.nullable]
        write(store, unit_of(name), pa.schema(needed).empty_table())
    connection = connect(store.root)
    assert query(connection, "select * from skipped_files").fetchall() == []
    for name, spec in TABLES.items():
        described = query(connection, f"describe {name}").fetchall()
        expected = connection.execute(f"describe {no_rows(spec)}").fetchall()
        assert described == expected
        assert query(connection, f"select * from {name}").fetchall() == []


@pytest.mark.parametrize(
    "view", ["trajectories", "graded", "outcomes", "solve_rate", "pass_at_k", "cost", "solutions"]
)
def test_a_filter_on_the_run_opens_no_file_of_another(store, unit_of, make_trajectory, view):
    """The rows of the others are damaged, but not their footers: whoever reads them fails."""
    for run_id in ("mine", "other"):
        store.commit(unit_of("trajectories", run_id=run_id), [make_trajectory(run_id)])
    connection = connect(store.root)
    other = store.root / unit_of("trajectories", run_id="other").path
    whole, num_footer = other.read_bytes(), pq.read_metadata(other).serialized_size + 8
    other.write_bytes(b"\xff" * (len(whole) - num_footer) + whole[-num_footer:])
    sql = f"select * exclude run_id, run_id from {view} where run_id = "
    assert {row[-1] for row in query(connection, f"{sql} 'mine'").fetchall()} == {"mine"}
    with pytest.raises(duckdb.Error):
        query(connection, f"{sql} 'other'").fetchall()


def test_connecting_and_binding_open_no_file_that_was_seen_before(
    store, unit_of, make_trajectory, monkeypatch
):
    store.commit(unit_of("trajectories"), [make_trajectory()])
    connect(store.root).close()
    opened = []
    real = type(store.files_root).open

    def spy(root, path):
        opened.append(path)
        return real(root, path)

    monkeypatch.setattr(type(store.files_root), "open", spy)
    connection = connect(store.root)
    assert [path for path in opened if path.endswith(".parquet")] == []
    (store.root / unit_of("trajectories").path).write_bytes(b"gone")
    assert query(connection, "describe cost").fetchall()


def test_files_beyond_the_limit_are_verified_by_later_connections(
    store, unit_of, make_trajectory, monkeypatch
):
    """Of those only the footer is read at first: their rows are there at once."""
    units = [unit_of("trajectories", f"u{index}") for index in range(3)]
    for unit in units:
        store.commit(unit, [make_trajectory(unit.name)])
    monkeypatch.setattr(verified, "_MAX_BYTES", 1)
    for num_whole in (1, 2, 3, 3):
        connection = connect(store.root)
        assert query(connection, "select count(*) from trajectories").fetchall() == [(3,)]
        assert query(connection, "select sum(num_rows) from units").fetchall() == [(3,)]
        connection.close()
        keys = np.frombuffer((store.root / VERIFIED).read_bytes(), dtype=np.uint64)
        assert len(set(keys[keys & np.uint64(1) == 1])) == num_whole


def test_a_sealed_file_in_the_folder_of_another_table_is_named(store, unit_of, make_problem):
    store.commit(unit_of("problems"), [make_problem()])
    wrong = store.root / unit_of("trajectories").path
    wrong.parent.mkdir(parents=True)
    wrong.write_bytes((store.root / unit_of("problems").path).read_bytes())
    connection = connect(store.root)
    ((path, reason),) = query(connection, "select * from skipped_files").fetchall()
    assert (path, reason.split(",")[0]) == (
        unit_of("trajectories").path,
        "it has no column trajectory_id",
    )
    assert query(connection, "select count(*) from problems").fetchall() == [(1,)]


def test_types_are_written_as_duckdb_reads_them():
    nested = pa.list_(pa.struct([("text", pa.string()), ("visits", pa.int64())]))
    assert sql_type(nested) == "struct(text varchar, visits bigint)[]"
