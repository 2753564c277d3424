"""The Prefect server of this machine: the one that is set, the one that runs, or a new one."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

from schemas.errors import StepmillError

_FIRST_PORT = 4200
_NUM_PORTS = 10
_PATIENCE_S = 90.0


def ensure_server() -> str:
    """Make PREFECT_API_URL name a server that answers, before Prefect is imported; the UI's URL.

    A server that this machine runs already on one of the usual ports is used; otherwise one is
    started, and stays when the run ends, so that its UI can be looked at.

    Raises:
        StepmillError: the server that is set, or the one started, does not answer.
    """
    os.environ.setdefault("DO_NOT_TRACK", "1")
    os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
    if url := os.environ.get("PREFECT_API_URL"):
        if not _answers(url):
            raise StepmillError(f"PREFECT_API_URL is {url}, and no Prefect server answers there")
        return url.removesuffix("/api")
    ports = range(_FIRST_PORT, _FIRST_PORT + _NUM_PORTS)
    for port in ports:
        if _answers(_url(port)):
            return _use(port)
    for port in ports:
        if _is_free(port):
            _start(port)
            return _use(port)
    raise StepmillError(f"ports {ports[0]} to {ports[-1]} are all taken: set PREFECT_API_URL")


def _start(port: int) -> None:
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + _PATIENCE_S
    while not _answers(_url(port)):
        if server.poll() is not None or time.monotonic() > deadline:
            raise StepmillError(
                f"the Prefect server did not start on port {port}: "
                f"`prefect server start --port {port}` shows why"
            )
        time.sleep(0.25)


def _use(port: int) -> str:
    os.environ["PREFECT_API_URL"] = _url(port)
    return _url(port).removesuffix("/api")


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/api"


def _answers(api_url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=2) as reply:
            return reply.read().strip() == b"true"
    except (OSError, ValueError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
