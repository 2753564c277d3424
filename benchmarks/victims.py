"""Processes of a run to kill: started, found, and watched until the last of them is gone."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import psutil
import yaml

from flows.server.prefect_server import Process, end_group, start_server
from schemas.sampling import SamplingJob

Kind = Literal["flow", "worker", "actor", "engine", "server", "raylet", "gcs"]

LOOK_EVERY_S = 0.03
_LOOK_AT_FAMILY_EVERY_S = 0.5
_LEFTOVERS_S = 120.0


class Run(Protocol):
    """A started run."""

    top: psutil.Process
    """The process that all others of the run descend from."""

    def is_over(self) -> bool:
        """Whether it has ended, successfully or not."""
        ...

    def message(self) -> str | None:
        """Its message if it failed; None if it succeeded."""
        ...

    def close(self) -> None:
        """End whatever is left of it."""
        ...


class CommandRun(Run):
    """`stepmill run sampling` as a process."""

    def __init__(self, root: Path, job: SamplingJob, run_id: str) -> None:
        config, self._log = root.with_suffix(".yaml"), root.with_suffix(".log")
        config.write_text(yaml.safe_dump(job.model_dump(mode="json")))
        command = [sys.executable, "-m", "benchmarks.killed", "run", "sampling"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--root", str(root), "--run-id", run_id, "--config", str(config)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.top = psutil.Process(self._process.pid)

    def is_over(self) -> bool:
        """See Run."""
        return self._process.poll() is not None

    def message(self) -> str | None:
        """See Run: its exit code and its last line."""
        if self._process.returncode == 0:
            return None
        lines = [line for line in self._log.read_text(errors="replace").splitlines() if line]
        return f"exit {self._process.returncode}: {lines[-1] if lines else ''}"

    def close(self) -> None:
        """See Run."""
        if not self.is_over():
            self._process.kill()
            self._process.wait()


class Server:
    """The benchmark's own Prefect server, which can be killed and restarted."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: Process | None = None

    def start(self) -> None:
        """Start it unless it is running."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = start_server(self._port)

    def processes(self) -> list[psutil.Process]:
        """All its processes, the parent last."""
        assert self._process is not None
        top = psutil.Process(self._process.pid)
        return [*top.children(recursive=True), top]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end_group(self._process)
            self._process = None


class Family:
    """A process and its descendants, including orphans that `look` has seen in time."""

    def __init__(self, top: psutil.Process) -> None:
        self._known = {top}

    def look(self) -> list[psutil.Process]:
        """Those that are running."""
        running = list(psutil.process_iter(["ppid", "status"]))
        parents = {p: p.info["ppid"] for p in running if p.info["status"] != psutil.STATUS_ZOMBIE}
        living = {process for process in self._known if process in parents}
        while True:
            ids = {process.pid for process in living}
            born = {p for p, parent in parents.items() if parent in ids} - living
            if not born:
                self._known |= living
                return sorted(living, key=lambda process: process.pid)
            living |= born

    def wait_for_deaths(self) -> list[str]:
        """The names of those that do not end in time, which are then killed."""
        begun = time.monotonic()
        while (living := self.look()) and time.monotonic() - begun < patience_s(_LEFTOVERS_S):
            psutil.wait_procs(living, timeout=_LOOK_AT_FAMILY_EVERY_S)
        names = []
        for process in living:
            with contextlib.suppress(psutil.NoSuchProcess):
                names.append(describe(process))
                process.kill()
        return names


def patience_s(seconds: float) -> float:
    """A time for other processes to do something, longer where they wait for a core."""
    return seconds * max(1.0, psutil.getloadavg()[0] / (psutil.cpu_count() or 1))


def find_victims(family: Family, kind: Kind, server: Server) -> list[psutil.Process]:
    """The running processes of one kind."""
    if kind == "server":
        return server.processes()[-1:]
    matches: dict[str, Callable[[str, str], bool]] = {
        "flow": lambda name, line: "benchmarks.killed run" in line,
        "worker": lambda name, line: "worker start" in line,
        "actor": lambda name, line: line.startswith("ray::") and "_HostActor" in line,
        "engine": lambda name, line: "EngineCore" in line,
        "raylet": lambda name, line: name == "raylet",
        "gcs": lambda name, line: name == "gcs_server",
    }
    found = []
    for process in family.look():
        with contextlib.suppress(psutil.Error):
            if matches[kind](process.name(), " ".join(process.cmdline())):
                found.append(process)
    return found


def kill(victim: psutil.Process, kind: Kind, server: Server) -> str:
    """Kill with signal 9, a server with all its processes; the name of the victim.

    Raises:
        psutil.NoSuchProcess: it has already ended.
    """
    name = describe(victim)
    for process in server.processes() if kind == "server" else [victim]:
        process.kill()
    return name


def wait_for_end(run: Run, family: Family, timeout_s: float) -> None:
    """Wait until a run is over or the time is up, and keep track of its family."""
    deadline = time.monotonic() + timeout_s
    next_look = 0.0
    while not run.is_over() and time.monotonic() < deadline:
        if time.monotonic() >= next_look:
            family.look()
            next_look = time.monotonic() + _LOOK_AT_FAMILY_EVERY_S
        time.sleep(LOOK_EVERY_S)


def describe(process: psutil.Process) -> str:
    """A process's name and the start of its command line, without the interpreter's path."""
    first, *others = process.cmdline() or [process.name()]
    return " ".join([Path(first).name, *others]).strip()[:80]
