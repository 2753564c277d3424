"""Fixtures shared by several folders of tests."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

# Before anything imports torch, whose threads compete for the cores of a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from schemas.rows import Problem, Step, Trajectory
from schemas.units import Unit
from storage import Store

PROJECT = Path(__file__).resolve().parents[1]
EXHIBIT_MODEL = PROJECT / os.environ.get("STEPMILL_EXHIBIT_MODEL", "models/SmolLM2-135M-Instruct")
"""Where the public model of `make exhibit-model` is, if it was made."""
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
_HOP_HEADERS = {"connection", "transfer-encoding", "content-length", "keep-alive"}
_SLOW_S = 1.0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests of the public model, before `-m` selects.

    Files with the most slow tests run first, then those with the most others, so that no process
    is left alone with a long one at the end.
    """
    for item in items:
        if "exhibit_model" in getattr(item, "fixturenames", ()):
            item.add_marker("exhibit")
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    every = Counter(item.path for item in items)
    items.sort(key=lambda item: (-slow[item.path], -every[item.path]))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@dataclass(frozen=True)
class Ended:
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def stepmill(capfd: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Runs a command in this process, in a folder and with variables of its own.

    It is the whole command line but the process, whose imports would take seconds each time.
    """
    from flows.cli import app
    from flows.commands.exits import run_plainly
    from flows.commands.options import DEFAULT_ROOT

    def run(*arguments: object, cwd: Path | None = None, **environment: str) -> Ended:
        capfd.readouterr()
        code: Any = 0
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            if cwd is not None:
                patch.chdir(cwd)
            try:
                run_plainly(
                    lambda: app([*map(str, arguments)], prog_name="stepmill"),
                    default_root=DEFAULT_ROOT,
                )
            except SystemExit as end:
                code = end.code
        printed = capfd.readouterr()
        return Ended(code or 0, printed.out, printed.err)

    return run


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """GSM8K and MATH-500 as JSONL, if they are beside this checkout."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("GSM8K and MATH-500 files are not beside this checkout")
    return folder


@pytest.fixture(scope="session")
def exhibit_model() -> Path:
    """The folder of SmolLM2-135M-Instruct: bfloat16, tied embeddings, GPT-2's pattern, a chat."""
    if not (EXHIBIT_MODEL / "config.json").is_file():
        pytest.skip(f"no model in {EXHIBIT_MODEL}: `make exhibit-model` makes it")
    return EXHIBIT_MODEL


@pytest.fixture(scope="session")
def toy_reward_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained verifier of the built-in world on disk, whose scores differ by text."""
    import torch
    from transformers import LlamaConfig, LlamaForTokenClassification

    from tasks.world.tokenizer import build_tokenizer

    tokenizer = build_tokenizer()
    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=384,
        initializer_range=0.3,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    config.num_labels = 2
    folder = tmp_path_factory.mktemp("models") / "reward-model"
    LlamaForTokenClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def make_problem() -> Callable[..., Problem]:
    def make(problem_id: str = "p0", **fields: object) -> Problem:
        values = {
            "source": "test",
            "split": "dev",
            "question": f"{problem_id}?",
            "answer": "4",
            "level": 1,
            "subject": "sums",
        }
        return Problem(problem_id=problem_id, **{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_trajectory() -> Callable[..., Trajectory]:
    def make(trajectory_id: str = "t0", **fields: object) -> Trajectory:
        values = {
            "problem_id": "p0",
            "policy": "policy-0",
            "strategy": "sample",
            "sample_index": 0,
            "status": "finished",
            "steps": (
                Step(text="2 + 2 = 4\n", num_tokens=6, logprob=-0.5),
                Step(text="Answer: 4", num_tokens=3, logprob=-0.25),
            ),
            "answer": "4",
            "correct": True,
            "grader": "exact",
            "temperature": 1.0,
            "top_p": 1.0,
            "seed": 1,
            "prompt_tokens": 5,
            "cached_tokens": 2,
            "generated_tokens": 9,
            "engine": "test",
            "created_at": _LONG_AGO,
        }
        return Trajectory(trajectory_id=trajectory_id, **{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture
def unit_of() -> Callable[..., Unit]:
    def make(table: str, name: str = "u0", **fields: object) -> Unit:
        values = {"run_id": "run", "stage": "sampling"}
        return Unit(table=table, name=name, **{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Prefect server with its own database."""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def run_and_kill(prefect_server: None) -> Callable[[list[str], Callable[[str], bool]], None]:
    """Runs a stepmill command in a separate process and kills it at a line of its output."""
    from prefect.settings import PREFECT_API_URL

    def run(arguments: list[str], is_time: Callable[[str], bool]) -> None:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()},
            start_new_session=True,
        )
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if is_time(line):
                break
        else:
            raise AssertionError(f"the run ended before the line to kill it at: {''.join(lines)}")
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stderr.close()

    return run


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A real Ray on this machine."""
    from tasks.engines.cluster import start_ray, stop_ray

    start_ray()
    yield
    stop_ray()


class S3Proxy(ThreadingHTTPServer):
    """Forwards requests to an S3 server, each with the fault that `choose_fault` names.

    With `500`, `slow down` and `cut` the request does not reach the server. With `cut after` and
    `half` the server processes it, and its answer is lost or cut in the middle. `slow` is answered
    after a second.
    """

    daemon_threads = True

    def __init__(self, target: tuple[str, int]) -> None:
        super().__init__(("127.0.0.1", 0), _S3Handler)
        self.target = target
        self.faults: list[tuple[str, str]] = []
        """Method and fault; each applies to one request of its method."""
        self.choose_fault: Callable[[str, str], str | None] = self.use_up_fault
        """Called with method and path, one request at a time."""
        self.drops_conditions = False
        self.seen: list[tuple[str, str]] = []
        """Method and path of all requests."""
        self.lock = threading.Lock()

    def use_up_fault(self, method: str, path: str) -> str | None:
        for index, (asked, fault) in enumerate(self.faults):
            if asked == method:
                del self.faults[index]
                return fault
        return None

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, which is part of the tests."""


class _S3Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: S3Proxy

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with self.server.lock:
            self.server.seen.append((self.command, self.path))
            fault = self.server.choose_fault(self.command, self.path)
        if fault == "500":
            self._answer(500, [], b"<Error><Code>InternalError</Code></Error>")
            return
        if fault == "slow down":
            self._answer(503, [], b"<Error><Code>SlowDown</Code></Error>")
            return
        if fault == "cut":
            self._cut()
            return
        if self.server.drops_conditions:
            del self.headers["If-None-Match"]
        upstream = http.client.HTTPConnection(*self.server.target)
        upstream.request(self.command, self.path, body, dict(self.headers))
        reply = upstream.getresponse()
        content = reply.read()
        upstream.close()
        if fault == "cut after":
            self._cut()
            return
        if fault == "slow":
            time.sleep(_SLOW_S)
        half = len(content) // 2 if fault == "half" else None
        headers = [(k, v) for k, v in reply.getheaders() if k.lower() not in _HOP_HEADERS]
        length = reply.getheader("content-length") if self.command == "HEAD" else None
        self._answer(reply.status, headers, content, half=half, length=length)

    def _answer(
        self,
        status: int,
        headers: list[tuple[str, str]],
        content: bytes,
        *,
        half: int | None = None,
        length: str | None = None,
    ) -> None:
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

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="session")
def s3_server() -> Iterator[tuple[str, int]]:
    """An S3 server in its own process: its modules break code that inspects all modules."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address: tuple[str, int] = probe.getsockname()
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
def s3_proxy(
    s3_server: tuple[str, int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[S3Proxy]:
    """An S3 endpoint with an empty bucket `bucket`, and AWS settings that point to it."""
    import boto3
    import s3fs

    with S3Proxy(s3_server) as server:
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
        server.choose_fault = server.use_up_fault
        server.faults.clear()
        bucket.objects.all().delete()
        s3fs.S3FileSystem.clear_instance_cache()
        server.shutdown()
        thread.join()


@pytest.fixture
def s3_store(s3_proxy: S3Proxy) -> Store:
    return Store("s3://bucket/team/store")
