"""Free memory as Linux tells it, from files like those of real machines and containers."""

from pathlib import Path

import pytest

from tasks.engines.memory import Memory, read_memory

GIB = 1 << 30
MEMORY = f"MemTotal: {16 * GIB // 1024} kB\nMemFree: 1 kB\nMemAvailable: {10 * GIB // 1024} kB\n"
MACHINE = Memory(total=16 * GIB, free=10 * GIB)


@pytest.fixture
def machine(tmp_path):
    """Writes `/proc` and the control groups; what is read from them."""

    def read(membership: str | None, groups: dict[str, dict[str, object]]) -> Memory | None:
        proc, root = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True, exist_ok=True)
        (proc / "meminfo").write_text(MEMORY)
        if membership is not None:
            (proc / "self" / "cgroup").write_text(membership)
        for group, files in groups.items():
            folder = root / group
            folder.mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (folder / name).write_text(f"{text}\n")
        return read_memory(proc, root)

    return read


def version_2(limit: object, current: int, *, inactive: int = 0, active: int = 0):
    stat = f"anon 5\ninactive_file {inactive}\nactive_file {active}"
    return {"memory.max": limit, "memory.current": current, "memory.stat": stat}


def version_1(limit: int, usage: int, *, inactive: int = 0):
    stat = f"inactive_file 7\ntotal_inactive_file {inactive}\ntotal_active_file 0"
    names = "memory.limit_in_bytes", "memory.usage_in_bytes", "memory.stat"
    return dict(zip(names, (limit, usage, stat), strict=True))


def test_without_a_limit_it_is_the_machines(machine):
    assert machine(None, {}) == MACHINE
    assert machine("0::/\n", {".": {"cgroup.procs": ""}}) == MACHINE
    assert machine("0::/user\n", {"user": version_2("max", 5 * GIB)}) == MACHINE
    none = version_1(9223372036854771712, 5 * GIB)
    assert machine("4:memory:/\n0::/\n", {"memory": none}) == MACHINE


def test_a_containers_limit_counts_and_its_page_cache_is_free(machine):
    group = version_2(4 * GIB, 3 * GIB, inactive=GIB, active=GIB // 2)
    limited = Memory(total=4 * GIB, free=4 * GIB - 3 * GIB // 2, is_limited=True)
    assert machine("0::/\n", {".": group}) == limited


def test_a_limit_of_a_group_above_counts(machine):
    groups = {"a/b": version_2("max", GIB), "a": version_2(6 * GIB, 2 * GIB)}
    assert machine("0::/a/b\n", groups) == Memory(6 * GIB, 4 * GIB, is_limited=True)


def test_a_path_of_the_host_is_not_visible_in_a_container(machine):
    group = version_1(3 * GIB, 2 * GIB, inactive=GIB)
    found = machine("9:cpu:/\n4:memory:/docker/0123\n", {"memory": group})
    assert found == Memory(3 * GIB, 2 * GIB, is_limited=True)


def test_a_limit_above_the_machine_and_more_in_use_than_allowed(machine):
    assert machine("0::/\n", {".": version_2(64 * GIB, GIB)}) == MACHINE
    assert machine("0::/\n", {".": version_2(2 * GIB, 3 * GIB)}) == Memory(2 * GIB, 0, True)


def test_elsewhere_it_is_not_known(tmp_path):
    assert read_memory(tmp_path / "proc", tmp_path / "cgroup") is None


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="needs Linux")
def test_this_machine_has_some():
    memory = read_memory()
    assert memory is not None
    assert 0 < memory.free <= memory.total
