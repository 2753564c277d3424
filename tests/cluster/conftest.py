"""Network namespaces of this machine as the hosts of a cluster."""

import contextlib
import os
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator

import pytest

_SWITCH = "switch0"


class Hosts:
    """Hosts with a network of their own, joined by a switch; nothing of it is seen outside."""

    def __init__(self) -> None:
        self._tag = f"sm{uuid.uuid4().hex[:8]}"
        self._names: list[str] = []
        self._switch = f"{self._tag}-switch"

    def open(self) -> None:
        """Make the switch."""
        self._namespace("switch")
        _ip("-n", self._switch, "link", "add", "name", _SWITCH, "type", "bridge")
        _ip("-n", self._switch, "link", "set", _SWITCH, "up")

    def add(self, name: str) -> str:
        """A host; its address."""
        namespace = self._namespace(name)
        address = f"10.77.0.{len(self._names)}"
        far_end = ("peer", "name", name, "netns", self._switch)
        _ip("link", "add", "eth0", "netns", namespace, "type", "veth", *far_end)
        _ip("-n", self._switch, "link", "set", name, "master", _SWITCH, "up")
        _ip("-n", namespace, "link", "set", "lo", "up")
        _ip("-n", namespace, "addr", "add", f"{address}/24", "dev", "eth0")
        _ip("-n", namespace, "link", "set", "eth0", "up")
        # Ray finds its own address by asking which way the internet would be.
        _ip("-n", namespace, "route", "add", "default", "dev", "eth0")
        return address

    def start(self, name: str, *command: str, **options: object) -> subprocess.Popen[str]:
        """Start a command on a host."""
        where = ("ip", "netns", "exec", f"{self._tag}-{name}")
        return subprocess.Popen([*where, *command], text=True, **options)  # type: ignore[call-overload]

    def process_ids(self, name: str) -> list[int]:
        """All that runs on a host."""
        return [int(line) for line in _ip("netns", "pids", f"{self._tag}-{name}").split()]

    def cut_off(self, name: str) -> None:
        """Pull a host's cable; all that runs there goes on."""
        _ip("-n", self._switch, "link", "set", name, "down")

    def kill(self, name: str, *, patience_s: float = 30.0) -> None:
        """End all that runs on a host, at once."""
        deadline = time.monotonic() + patience_s
        while pids := self.process_ids(name):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
            if time.monotonic() > deadline:
                raise TimeoutError(f"processes {pids} on {name} do not end")

    def close(self) -> None:
        """End everything on all hosts, and the hosts."""
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
    """A folder for sockets, whose paths must be short."""
    with tempfile.TemporaryDirectory(dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder


def _ip(*arguments: str) -> str:
    done = subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)
    return done.stdout
