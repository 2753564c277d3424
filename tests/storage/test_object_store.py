"""The store on S3: a real S3 server (moto) behind a proxy that misbehaves when told to."""

import contextlib
import http.client
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest

from schemas.errors import StoreUnusable
from storage import Store, connect, query

_HOP_HEADERS = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Proxy(ThreadingHTTPServer):
    """Passes requests on; each fault in `faults` is used up by one request of its method."""

    daemon_threads = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = target
        self.faults: list[tuple[str, str]] = []
        self.seen: list[str] = []
        self.lock = threading.Lock()

    def handle_error(self, request, client_address) -> None:
        """A client that went away is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = None
        with self.server.lock:
            self.server.seen.append(self.command)
            for index, (method, kind) in enumerate(self.server.faults):
                if method == self.command:
                    fault = kind
                    del self.server.faults[index]
                    break
        if fault == "500":
            self._answer(500, [], b"<Error><Code>InternalError</Code></Error>")
            return
        if fault == "slow down":
            self._answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
            return
        if fault == "cut":
            self._cut()
            return
        upstream = http.client.HTTPConnection(*self.server.target)
        upstream.request(self.command, self.path, body, dict(self.headers))
        reply = upstream.getresponse()
        content = reply.read()
        if fault == "cut after":
            self._cut()
            return
        half = len(content) // 2 if fault == "half" else None
        headers = [(k, v) for k, v in reply.getheaders() if k.lower() not in _HOP_HEADERS]
        length = reply.getheader("content-length") if self.command == "HEAD" else None
        self._answer(reply.status, headers, content, half=half, length=length)
        upstream.close()

    def _answer(self, status, headers, content, *, half=None, length=None) -> None:
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("content-length", length or str(len(content)))
        self.end_headers()
        self.wfile.write(content[:half])
        if half is not None:
            self._cut()

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    do_GET = do_PUT = do_HEAD = do_POST = do_DELETE = _pass

    def log_message(self, format, *args) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def moto():
    """An S3 server in a process of its own: its modules break those that look at all modules."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = probe.getsockname()
    command = [sys.executable, "-m", "moto.server", "-H", address[0], "-p", str(address[1])]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(address, timeout=1):
            break
        assert server.poll() is None, "the S3 server ended"
        assert time.monotonic() < deadline, "the S3 server does not answer"
        time.sleep(0.1)
    yield address
    server.terminate()
    server.wait()


@pytest.fixture
def proxy(moto, monkeypatch, tmp_path):
    """An S3 end point with an empty bucket `bucket`, and the AWS settings that lead to it."""
    import boto3
    import s3fs

    with Proxy(moto) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        for name, value in {
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "XDG_CACHE_HOME": str(tmp_path / "cache"),
        }.items():
            monkeypatch.setenv(name, value)
        s3: Any = boto3.resource("s3")
        bucket = s3.create_bucket(Bucket="bucket")
        s3fs.S3FileSystem.clear_instance_cache()
        server.seen.clear()
        yield server
        bucket.objects.all().delete()
        s3fs.S3FileSystem.clear_instance_cache()
        server.shutdown()
        thread.join()


@pytest.fixture
def s3_store(proxy):
    return Store("s3://bucket/team/store")


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
def test_a_put_that_fails_on_the_way_is_put_once(proxy, s3_store, unit_of, make_trajectory, fault):
    """`cut after`: the object is there, but the answer was lost; the retry finds the name taken."""
    unit = unit_of("trajectories")
    proxy.faults += [("PUT", fault), ("PUT", fault)]
    s3_store.commit(unit, [make_trajectory("a")])
    assert proxy.faults == []
    assert [row.trajectory_id for row in s3_store.read(unit.path)] == ["a"]


@pytest.mark.parametrize("fault", ["500", "slow down", "cut", "half"])
def test_a_read_that_fails_on_the_way_is_read_again(
    proxy, s3_store, unit_of, make_trajectory, fault
):
    unit = unit_of("trajectories")
    rows = [make_trajectory(f"t{i}") for i in range(50)]
    s3_store.commit(unit, rows)
    proxy.faults += [("GET", fault), ("GET", fault)]
    assert s3_store.read(unit.path) == rows
    proxy.faults += [("GET", fault), ("GET", fault)]
    assert query(connect(s3_store.url), "select count(*) from trajectories").fetchall() == [(50,)]
    assert proxy.faults == []


def test_sql_reads_the_store_and_nothing_beside_it(proxy, s3_store, unit_of, make_trajectory):
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


def test_opening_many_files_reads_each_only_once(proxy, s3_store, unit_of, make_trajectory):
    for index in range(12):
        s3_store.commit(unit_of("trajectories", f"u{index}"), [make_trajectory(f"t{index}")])
    proxy.seen.clear()
    connection = connect(s3_store.url)
    found = query(connection, "select sum(generated_tokens) from trajectories").fetchall()
    assert found == [(108,)]
    assert proxy.seen.count("HEAD") <= 2, proxy.seen
    # Of each file its last bytes, then the whole of it; and the listing and the marker.
    assert proxy.seen.count("GET") <= 12 * 2 + 2


def test_models_travel_as_folders(proxy, s3_store, tmp_path):
    from tasks.models import identify_model, resolve_model

    for folder in (tmp_path / "m", tmp_path / "again"):
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(b"weights")
        (folder / "config.json").write_text("{}")
    s3_store.put_folder(tmp_path / "m", "checkpoints/m")
    local = resolve_model(f"{s3_store.url}/checkpoints/m")
    assert sorted(path.name for path in local.iterdir()) == ["config.json", "model.safetensors"]
    assert local == s3_store.local_folder("checkpoints/m")
    assert identify_model(f"{s3_store.url}/checkpoints/m") == identify_model(str(tmp_path / "m"))
    proxy.seen.clear()
    assert resolve_model(f"{s3_store.url}/checkpoints/m") == local
    assert proxy.seen == []
    with pytest.raises(ValueError, match="checkpoints/none: it cannot be fetched"):
        resolve_model(f"{s3_store.url}/checkpoints/none")


def test_what_is_no_store_is_named(proxy, tmp_path):
    with pytest.raises(StoreUnusable, match="s3://bucket/nothing is not a store"):
        Store("s3://bucket/nothing", create=False)
    with pytest.raises(StoreUnusable, match="s3://missing-bucket/x"):
        Store("s3://missing-bucket/x")
    with pytest.raises(StoreUnusable, match="expected s3://BUCKET/PREFIX"):
        Store("s3://")


def test_a_server_that_overwrites_in_spite_of_the_condition_is_refused(proxy, monkeypatch):
    """Some object stores ignore If-None-Match; then two writers would lose each other's rows."""
    passed = _Handler._pass

    def without_condition(self):
        del self.headers["If-None-Match"]
        passed(self)

    monkeypatch.setattr(_Handler, "do_PUT", without_condition)
    with pytest.raises(StoreUnusable, match="in spite of If-None-Match"):
        Store("s3://bucket/unsafe")


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
