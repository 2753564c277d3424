"""The Prefect server of this machine: the configured one, a running one, or a new one."""

import contextlib
import fcntl
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from schemas.errors import StepmillError

_FIRST_PORT = 4200
_NUM_PORTS = 10
_START_TIMEOUT_S = 300.0
_END_TIMEOUT_S = 15.0
_POLL_EVERY_S = 0.25

Process = subprocess.Popen[bytes]


def ensure_server() -> str:
    """Make PREFECT_API_URL name a server that answers, before Prefect is imported; the UI's URL.

    A server that already runs on one of the usual ports is used; otherwise one is started, which
    keeps running after the run, so that its UI can be viewed.

    Raises:
        StepmillError: the configured server, or the one started, does not answer.
    """
    with _one_at_a_time():
        if (url := find_server(None)) is None:
            port = _free_port()
            start_server(port)
            url = _use(port)
    return url


def find_server(port: int | None) -> str | None:
    """Make PREFECT_API_URL name a running server; the URL of its UI, None if none runs.

    Args:
        port: the only one to try; None for the configured server, or the usual ports.

    Raises:
        StepmillError: the configured server does not answer, or something else holds the port.
    """
    _turn_telemetry_off()
    if port is not None:
        if _answers(_url(port)):
            return _use(port)
        if not _is_free(port):
            raise StepmillError(
                f"port {port} is taken by something that is not a Prefect server: "
                f"choose another, such as --port {_free_port()}"
            )
        return None
    if url := os.environ.get("PREFECT_API_URL"):
        if not _answers(url):
            raise StepmillError(f"PREFECT_API_URL is {url}, and no Prefect server answers there")
        return url.removesuffix("/api")
    return next((_use(port) for port in _usual_ports() if _answers(_url(port))), None)


@contextlib.contextmanager
def serving(port: int | None) -> Iterator[tuple[str, Process | None]]:
    """A server for the block: a running one, or a new one that ends with the block.

    Args:
        port: where it listens; None for one of the usual ports.

    Yields:
        The UI's URL, and the new server's process.

    Raises:
        StepmillError: the port is taken, or the server does not answer.
    """
    process: Process | None = None
    with _one_at_a_time():
        if (url := find_server(port)) is None:
            port = port or _free_port()
            process = start_server(port)
            url = _use(port)
    try:
        yield url, process
    finally:
        if process is not None:
            end_group(process)


def end_group(leader: Process) -> None:
    """End a process and its process group: with SIGTERM, and after some seconds with SIGKILL."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(leader.pid, number)
        deadline = time.monotonic() + _END_TIMEOUT_S
        while time.monotonic() < deadline:
            leader.poll()
            try:
                os.killpg(leader.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(_POLL_EVERY_S)


def start_server(port: int) -> Process:
    """Start a server and wait until it answers; its process.

    Raises:
        StepmillError: it ended, or does not answer in time.
    """
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PREFECT_API_URL": _url(port)},
    )
    deadline = time.monotonic() + _START_TIMEOUT_S
    try:
        while not _answers(_url(port)):
            if server.poll() is not None or time.monotonic() > deadline:
                raise StepmillError(
                    f"the Prefect server did not start on port {port}: "
                    f"`prefect server start --port {port}` shows why"
                )
            time.sleep(_POLL_EVERY_S)
    except BaseException:
        end_group(server)
        raise
    return server


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    """If two runs begin at once, only one starts a server; the other finds it."""
    with (Path(tempfile.gettempdir()) / f"stepmill-server-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def look_at_ports() -> dict[int, str]:
    """What uses each of the usual ports: `Prefect`, `free`, or `something else`."""

    def look(port: int) -> str:
        if _is_free(port):
            return "free"
        return "Prefect" if _answers(_url(port)) else "something else"

    with ThreadPoolExecutor(_NUM_PORTS) as pool:
        return dict(zip(_usual_ports(), pool.map(look, _usual_ports()), strict=True))


def describe_server(api_url: str) -> str | None:
    """A server's version, and its kind of database if reported; None without an answer."""
    if not _answers(api_url):
        return None
    said = {}
    for question in ("version", "settings"):
        with (
            contextlib.suppress(OSError, ValueError, http.client.HTTPException),
            urllib.request.urlopen(f"{api_url}/admin/{question}", timeout=2) as reply,
        ):
            said[question] = json.loads(reply.read())
    database = ((said.get("settings") or {}).get("server") or {}).get("database") or {}
    driver = database.get("driver") or str(database.get("connection_url") or "").partition(":")[0]
    kind = f", database {driver}" if driver.strip("*") else ""
    return f"Prefect {said.get('version', 'of unknown version')}{kind}"


def _turn_telemetry_off() -> None:
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def _use(port: int) -> str:
    os.environ["PREFECT_API_URL"] = _url(port)
    return _url(port).removesuffix("/api")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def _usual_ports() -> range:
    return range(_FIRST_PORT, _FIRST_PORT + _NUM_PORTS)


def _free_port() -> int:
    ports = _usual_ports()
    for port in ports:
        if _is_free(port):
            return port
    raise StepmillError(f"ports {ports[0]} to {ports[-1]} are all taken: set PREFECT_API_URL")


def _answers(api_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=2) as reply:
            return reply.read().strip() == b"true"
    except (OSError, ValueError, http.client.HTTPException):  # the last: it does not speak HTTP
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
