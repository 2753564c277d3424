"""Network namespaces of this machine that act as the hosts of a cluster."""

import contextlib
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator

import pytest

_SWITCH = "switch0"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip the tests of minutes under a Slurm, unless `-m` speaks of them."""
    if "slurm" not in config.option.markexpr:
        for item in items:
            if item.get_closest_marker("slurm"):
                item.add_marker(pytest.mark.skip(reason="takes minutes: -m slurm selects it"))


class Hosts:
    """Hosts in a private network, joined by a switch and invisible from outside."""

    def __init__(self) -> None:
        self._tag = f"sm{uuid.uuid4().hex[:8]}"
        self._names: list[str] = []
        self._switch = f"{self._tag}-switch"

    def open(self) -> None:
        """Create the switch."""
        self._namespace("switch")
        _ip("-n", self._switch, "link", "add", "name", _SWITCH, "type", "bridge")
        _ip("-n", self._switch, "link", "set", _SWITCH, "up")

    def add(self, name: str) -> str:
        """Add a host and return its address."""
        namespace = self._namespace(name)
        address = f"10.77.0.{len(self._names)}"
        far_end = ("peer", "name", name, "netns", self._switch)
        _ip("link", "add", "eth0", "netns", namespace, "type", "veth", *far_end)
        _ip("-n", self._switch, "link", "set", name, "master", _SWITCH, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        # Ray finds its own address by looking up the route to the internet.
        _ip("-n", namespace, "route", "add", "default", "dev", "eth0")
        return address

    def start(self, name: str, *command: str, **options: object) -> subprocess.Popen[str]:
        """Start a command on a host."""
        where = ("ip", "netns", "exec", f"{self._tag}-{name}")
        return subprocess.Popen([*where, *command], text=True, **options)  # type: ignore[call-overload]

    def process_ids(self, name: str) -> list[int]:
        """The ids of all processes on a host."""
        return [int(line) for line in _ip("netns", "pids", f"{self._tag}-{name}").split()]

    def cut_off(self, name: str) -> None:
        """Disconnect a host; its processes keep running."""
        _ip("-n", self._switch, "link", "set", name, "down")

    def kill(self, name: str, *, timeout_s: float = 30.0) -> None:
        """Kill all processes on a host."""
        deadline = time.monotonic() + timeout_s
        while pids := self.process_ids(name):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            if time.monotonic() > deadline:
                raise TimeoutError(f"expected no process on {name}, got {pids}")

    def close(self) -> None:
        """Kill all processes and remove the hosts."""
        for name in self._names:
            self.kill(name)
            _ip("netns", "del", f"{self._tag}-{name}")
        self._names.clear()

    def _namespace(self, name: str) -> str:
        namespace = f"{self._tag}-{name}"
        _ip("netns", "add", namespace)
        self._names.append(name)
        return namespace


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """An empty network."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    network = Hosts()
    try:
        network.open()
        network.add("probe")
    except (OSError, subprocess.CalledProcessError) as error:
        network.close()
        pytest.skip(f"network namespaces do not work here: {error}")
    try:
        yield network
    finally:
        network.close()


@pytest.fixture
def short_folder() -> Iterator[str]:
    """A folder for sockets, with a short path."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
