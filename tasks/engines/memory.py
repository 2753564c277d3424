"""Memory that this process and its children may still take: the machine's, or less in a container.

Read from `/proc` and the control groups (both versions) of Linux; elsewhere it is not known. A
group's page cache counts as free, as in Ray's monitor, which kills workers at a share of the same
figure.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")

_NO_LIMIT = 1 << 60
"""Version 1 writes no limit as a number near 2^63."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that may be used in all, and those that are free."""

    total: int
    free: int
    is_limited: bool = False
    """Whether a control group, such as a container's, allows less than the machine has."""


def read_memory(proc: Path = PROC, groups: Path = GROUPS) -> Memory | None:
    """What the machine has and its control groups allow; None on a system without `/proc`."""
    try:
        lines = (line.split() for line in (proc / "meminfo").read_text().splitlines())
    except OSError:
        return None
    kib = {parts[0]: int(parts[1]) for parts in lines}
    memory = Memory(kib["MemTotal:"] * 1024, kib["MemAvailable:"] * 1024)
    for limit, used in _limits(proc, groups):
        free = max(0, limit - used)
        is_limited = memory.is_limited or limit < memory.total or free < memory.free
        memory = Memory(min(memory.total, limit), min(memory.free, free), is_limited)
    return memory


def _limits(proc: Path, groups: Path) -> Iterator[tuple[int, int]]:
    """(limit, bytes in use) of the groups that this process is in and that have a limit."""
    try:
        memberships = (proc / "self" / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in memberships:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = "memory.max", "memory.current", ""
            root = groups / "unified" if (groups / "unified").is_dir() else groups
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_"
            root = groups / "memory"
        else:
            continue
        # In a container the path may be the host's: only groups above it are then visible.
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if (found := _limit_of(group, *names)) is not None:
                yield found
            if group == root:
                break


def _limit_of(group: Path, limit: str, used: str, prefix: str) -> tuple[int, int] | None:
    try:
        text = (group / limit).read_text().strip()
        if text == "max" or int(text) >= _NO_LIMIT:
            return None
        pages = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
        cached = sum(int(pages.get(f"{prefix}{kind}_file", 0)) for kind in ("inactive", "active"))
        return int(text), int((group / used).read_text()) - cached
    except (OSError, ValueError):
        return None
