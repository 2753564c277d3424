"""Processor time of a command and of every process that it starts, daemons included.

A command runs in a control group of its own (cgroup v2), whose counter the kernel keeps, so that
processes count that have left their parent, or whose parent ignores their end, as Ray's raylet does
with its workers. Sums over waited-for children miss both. Needs the right to make a group, which
root has. `python -m benchmarks.processor_time` shows that a daemon's grandchild counts.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

_LAST_PROCESS_S = 300.0
"""For the processor seconds that are left: minutes on a busy machine."""
_BURNT_S = 2.0

DAEMON = f"""
import os, signal, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while time.process_time() < {_BURNT_S}:
            pass
    os._exit(0)
"""
"""Ends at once, and leaves a daemon that burns two seconds and that nobody waits for."""


def measure(
    command: Sequence[str], environment: Mapping[str, str], *, folder: Path | None = None
) -> dict[str, float]:
    """Wall time of a command, and the processor time of all that it started until that has ended.

    Args:
        command: its words.
        environment: its environment.
        folder: where it runs; None for here.

    Raises:
        RuntimeError: it failed, or processes still run five minutes after it; they are killed.
        OSError: no group can be made here.
    """
    with _group() as group, tempfile.TemporaryFile("w+") as said:
        begun = time.perf_counter()
        joining = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        status = subprocess.call(
            ["/bin/sh", "-c", joining, "sh", *command],
            cwd=folder,
            env=environment,
            stdout=said,
            stderr=said,
        )
        seconds = time.perf_counter() - begun
        said.seek(0)
        if status:
            raise RuntimeError(f"{command[:4]} ended with {status}: {said.read()[-2000:]}")
        if not _has_ended(group):
            left = (group / "cgroup.procs").read_text().split()
            raise RuntimeError(f"{command[:4]}: processes {', '.join(left)} have not ended")
        usage = dict(line.split() for line in (group / "cpu.stat").read_text().splitlines())
    return {"wall_s": round(seconds, 2), "processor_s": round(int(usage["usage_usec"]) / 1e6, 2)}


@contextlib.contextmanager
def _group() -> Iterator[Path]:
    """A new control group; what is left in it at the end is killed."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = [mount[1] for mount in mounts if mount[2] == "cgroup2"]
    if not places:
        raise OSError("expected a cgroup v2 file system, none is mounted")
    group = Path(places[0]) / f"stepmill-{os.getpid()}-{time.monotonic_ns()}"
    group.mkdir()
    try:
        yield group
    finally:
        (group / "cgroup.kill").write_text("1")
        _has_ended(group)
        group.rmdir()


def _has_ended(group: Path) -> bool:
    """Wait until no process of a group is left; False if some still are after a while."""
    deadline = time.monotonic() + _LAST_PROCESS_S
    while "populated 1" in (group / "cgroup.events").read_text():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def main() -> None:
    """Measure the daemon, which burns a known time."""
    found = measure([sys.executable, "-c", DAEMON], os.environ)
    print(f"burnt by a daemon's grandchild: {_BURNT_S} s; measured: {found['processor_s']} s")


if __name__ == "__main__":
    main()
