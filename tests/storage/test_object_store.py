"""The store on S3: a real S3 server (moto) behind a proxy that misbehaves on command."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pytest

from schemas.errors import StoreUnusable
from storage import Store, connect, query


def test_a_committed_file_is_read_back(s3_store, unit_of, make_trajectory):
    unit = unit_of("trajectories")
    rows = [make_trajectory("a"), make_trajectory("b", status="error", error="no room")]
    assert not s3_store.has(unit)
    receipt = s3_store.commit(unit, rows, seconds=2.5)
    assert s3_store.has(unit)
    assert Store("s3://bucket/team/store", create=False).read(unit.path) == rows
    assert s3_store.read(unit.path, rows=(1, 2)) == rows[1:]
    assert (receipt.num_rows, receipt.num_errors, receipt.seconds) == (2, 1, 2.5)
    assert s3_store.num_rows(unit.path) == 2
    assert s3_store.files("trajectories", run_id="run", stage="sampling") == [unit.path]
    assert s3_store.missing([unit, unit_of("trajectories", "u1")]) == [
        unit_of("trajectories", "u1")
    ]


def test_of_many_writers_one_wins_and_all_see_its_rows(s3_store, unit_of, make_trajectory):
    unit = unit_of("trajectories")

    def write(name):
        return Store(s3_store.url).commit(unit, [make_trajectory(f"t{name}")])

    with ThreadPoolExecutor(8) as pool:
        receipts = list(pool.map(write, range(8)))
    assert sorted(receipt.was_there for receipt in receipts) == [False] + [True] * 7
    assert len(s3_store.read(unit.path)) == 1


@pytest.mark.parametrize("fault", ["500", "slow down", "cut", "cut after"])
def test_a_put_that_fails_on_the_way_is_put_once(
    s3_proxy, s3_store, unit_of, make_trajectory, fault
):
    """`cut after`: the object exists, but the answer was lost; the retry finds the name taken."""
    unit = unit_of("trajectories")
    s3_proxy.faults += [("PUT", fault), ("PUT", fault)]
    s3_store.commit(unit, [make_trajectory("a")])
    assert s3_proxy.faults == []
    assert [row.trajectory_id for row in s3_store.read(unit.path)] == ["a"]


@pytest.mark.parametrize("fault", ["500", "slow down", "cut", "half"])
def test_a_read_that_fails_on_the_way_is_read_again(
    s3_proxy, s3_store, unit_of, make_trajectory, fault
):
    unit = unit_of("trajectories")
    rows = [make_trajectory(f"t{i}") for i in range(50)]
    s3_store.commit(unit, rows)
    s3_proxy.faults += [("GET", fault), ("GET", fault)]
    assert s3_store.read(unit.path) == rows
    s3_proxy.faults += [("GET", fault), ("GET", fault)]
    assert query(connect(s3_store.url), "select count(*) from trajectories").fetchall() == [(50,)]
    assert s3_proxy.faults == []


def test_sql_reads_the_store_and_nothing_beside_it(s3_proxy, s3_store, unit_of, make_trajectory):
    import boto3

    boto3.client("s3").put_object(Bucket="bucket", Key="other/secret.csv", Body=b"a,b\n1,2\n")
    for run in ("r1", "r2"):
        for name in ("u0", "u1"):
            row = make_trajectory(f"{run}{name}", correct=run == "r1")
            s3_store.commit(unit_of("trajectories", name, run_id=run), [row], seconds=1.0)
    connection = connect(s3_store.url)
    found = query(
        connection,
        "select run_id, count(*), avg(correct::int) from trajectories group by all order by 1",
    )
    assert found.fetchall() == [("r1", 2, 1.0), ("r2", 2, 0.0)]
    assert query(connection, "select sum(seconds) from units").fetchall() == [(4.0,)]
    for reach in ("read_csv('s3://bucket/other/secret.csv')", "glob('s3://bucket/**')"):
        with pytest.raises(duckdb.Error, match="disabled by configuration"):
            query(connection, f"select * from {reach}").fetchall()
    with pytest.raises(ValueError, match="expected a statement that only reads"):
        query(connection, "copy (select 1) to 's3://bucket/team/store/x.parquet'")
    with pytest.raises(duckdb.Error):
        connection.execute("copy (select 1) to 's3://bucket/team/store/x.parquet'")


def test_opening_many_files_reads_each_only_once(s3_proxy, s3_store, unit_of, make_trajectory):
    for index in range(12):
        s3_store.commit(unit_of("trajectories", f"u{index}"), [make_trajectory(f"t{index}")])
    s3_proxy.seen.clear()
    connection = connect(s3_store.url)
    found = query(connection, "select sum(generated_tokens) from trajectories").fetchall()
    assert found == [(108,)]
    methods = [method for method, _ in s3_proxy.seen]
    assert methods.count("HEAD") <= 2, s3_proxy.seen
    # The last bytes of each file, then the whole file; and the listing and the marker.
    assert methods.count("GET") <= 12 * 2 + 2


def test_models_travel_as_folders(s3_proxy, s3_store, tmp_path):
    from tasks.models.folders import identify_model, resolve_model

    for folder in (tmp_path / "m", tmp_path / "again"):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "config.json").write_text("{}")
    s3_store.put_folder(tmp_path / "m", "checkpoints/m")
    local = resolve_model(f"{s3_store.url}/checkpoints/m")
    assert sorted(path.name for path in local.iterdir()) == ["config.json", "model.safetensors"]
    assert local == s3_store.local_folder("checkpoints/m")
    assert identify_model(f"{s3_store.url}/checkpoints/m") == identify_model(str(tmp_path / "m"))
    s3_proxy.seen.clear()
    assert resolve_model(f"{s3_store.url}/checkpoints/m") == local
    assert s3_proxy.seen == []
    with pytest.raises(ValueError, match="checkpoints/none: it cannot be fetched"):
        resolve_model(f"{s3_store.url}/checkpoints/none")


def test_what_is_no_store_is_named(s3_proxy, tmp_path):
    with pytest.raises(StoreUnusable, match="s3://bucket/nothing is not a store"):
        Store("s3://bucket/nothing", create=False)
    with pytest.raises(StoreUnusable, match="s3://missing-bucket/x"):
        Store("s3://missing-bucket/x")
    with pytest.raises(StoreUnusable, match="expected s3://BUCKET/PREFIX"):
        Store("s3://")


def test_a_server_that_overwrites_in_spite_of_the_condition_is_refused(s3_proxy):
    """Some object stores ignore If-None-Match; then two writers would lose each other's rows."""
    s3_proxy.drops_conditions = True
    with pytest.raises(StoreUnusable, match="in spite of If-None-Match"):
        Store("s3://bucket/unsafe")


def test_an_existing_store_on_such_a_server_is_refused_before_its_first_commit(
    s3_proxy, unit_of, make_trajectory
):
    import boto3

    unit = unit_of("trajectories")
    s3 = boto3.client("s3")
    put = {"Bucket": "bucket", "Key": "moved/stepmill.json", "Body": b'{"schema_version": 4}\n'}
    s3.put_object(**put)
    s3_proxy.drops_conditions = True
    store = Store("s3://bucket/moved", create=False)
    for _ in range(2):
        with pytest.raises(StoreUnusable, match="in spite of If-None-Match"):
            store.commit(unit, [make_trajectory()])
    assert list(store.files_root.files()) == ["stepmill.json"]
    assert s3.get_object(Bucket="bucket", Key="moved/stepmill.json")["Body"].read() == put["Body"]
    s3_proxy.drops_conditions = False
    store.commit(unit, [make_trajectory()])
    puts = len([1 for method, _ in s3_proxy.seen if method == "PUT"])
    store.commit(unit_of("trajectories", "u1"), [make_trajectory("t1")])
    assert len([1 for method, _ in s3_proxy.seen if method == "PUT"]) == puts + 1


def test_a_replaceable_file_is_replaced(s3_store, store, tmp_path):
    for each in (s3_store, store):
        for text in ("old", "new"):
            (tmp_path / "picture").write_text(text)
            each.put_file(tmp_path / "picture", "reports/run/picture.png")
        with each.files_root.open("reports/run/picture.png") as stream:
            assert stream.read() == b"new"
    assert list(Path(store.root / "reports/run").iterdir()) == [
        store.root / "reports/run/picture.png"
    ]
