"""`kill -9` of every kind of process at random moments of a run, each followed by a rerun.

A run samples solutions with the shipped policy in vLLM, or with the Markov engine, which is fast.
One of its processes is killed: the flow's, the Prefect worker, a host actor, vLLM's own engine
process, the Prefect server, Ray's raylet or its control store. What the run does then is reported:
it goes on or it ends, with which message. After a rerun with the same run id, the store must hold
what an undisturbed run makes: every solution of every problem once, in readable files; and no file
that was committed before the kill may be another one.

A unit is *lost* when it was begun before the kill, and neither committed then nor afterwards by the
actor that began it; it is begun again. No actor may lose more than it works on at once
(`units_in_flight`: 1 in every second run, else 2). Prints one JSON object on its last line.

    python -m benchmarks.kill --quick
"""

import argparse
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from benchmarks.deployed import DeployedRun
from flows.server import Process, end_group, start_server
from schemas.engines import SHIPPED_POLICY, MarkovConfig, VLLMConfig
from schemas.pool import PoolConfig
from schemas.problems import FileProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from tasks.engines.markov_engine import markov_problems

Kind = Literal["flow", "worker", "actor", "engine", "server", "raylet", "gcs"]
EngineName = Literal["markov", "vllm", "vllm own process"]

RUN_ID = "kill"
_HANGS_S = 400.0
_LOOK_EVERY_S = 0.02
_LEFTOVERS_S = 120.0
_LATEST = 0.7
"""The share of a run's units after which nothing is killed any more, as it might be over."""

PLAN: tuple[tuple[Kind, EngineName], ...] = (
    ("flow", "vllm"),
    ("flow", "markov"),
    ("flow", "vllm own process"),
    ("worker", "vllm"),
    ("worker", "markov"),
    ("worker", "markov"),
    ("actor", "vllm"),
    ("actor", "vllm"),
    ("actor", "markov"),
    ("actor", "vllm own process"),
    ("engine", "vllm own process"),
    ("engine", "vllm own process"),
    ("server", "vllm"),
    ("server", "markov"),
    ("server", "markov"),
    ("raylet", "vllm"),
    ("raylet", "markov"),
    ("raylet", "markov"),
    ("gcs", "vllm"),
    ("gcs", "markov"),
)
QUICK_PLAN: tuple[tuple[Kind, EngineName], ...] = (
    ("flow", "markov"),
    ("actor", "markov"),
    ("raylet", "markov"),
)


class Run(Protocol):
    """A run that has been started."""

    top: psutil.Process
    """The process that all others of the run descend from."""
    flow: psutil.Process
    """The process of the flow itself."""

    def is_over(self) -> bool:
        """Whether it has come to its end, good or bad."""
        ...

    def message(self) -> str | None:
        """What it said when it failed; None when it came to a good end."""
        ...

    def close(self) -> None:
        """End whatever is left of it."""
        ...


class CommandRun(Run):
    """`stepmill run sampling` as a process."""

    def __init__(self, root: Path, job: SamplingJob) -> None:
        config, self._log = root.with_suffix(".yaml"), root.with_suffix(".log")
        config.write_text(yaml.safe_dump(job.model_dump(mode="json")))
        command = [sys.executable, "-m", "benchmarks.killed", "run", "sampling"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*command, "--root", str(root), "--run-id", RUN_ID, "--config", str(config)],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.top = self.flow = psutil.Process(self._process.pid)

    def is_over(self) -> bool:
        """See Run."""
        return self._process.poll() is not None

    def message(self) -> str | None:
        """See Run; without a message, its exit code."""
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
    """A Prefect server of this benchmark's own, which can be killed and started again."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._process: Process | None = None

    def start(self) -> None:
        """Start it, if it does not run."""
        if self._process is None or self._process.poll() is not None:
            self.stop()
            self._process = start_server(self._port)

    def processes(self) -> list[psutil.Process]:
        """All its processes, the first one last."""
        assert self._process is not None
        top = psutil.Process(self._process.pid)
        return [*top.children(recursive=True), top]

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            end_group(self._process)
            self._process = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is killed, in what kind of run, and when."""

    kind: Kind
    engine: EngineName
    units_in_flight: int
    share: float
    """Of the run's units, how many are committed when the time comes."""
    delay_s: float
    """And how long after that."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The solutions of a run, by their ids: problem, index, text, answer, verdict."""

    by_id: dict[str, tuple[Any, ...]]
    num_files: int


def make_job(engine: EngineName, folder: Path, units_in_flight: int = 2) -> SamplingJob:
    """Some dozens of units of sampling for vLLM, some hundreds for the Markov engine."""
    own = engine == "vllm own process"
    pool = PoolConfig(num_actors=1 if own else 2, units_in_flight=units_in_flight)
    if engine != "markov":
        return SamplingJob(
            problems=WorldProblemsConfig(num_problems=120),
            policy=VLLMConfig(model=SHIPPED_POLICY, process="own" if own else "host"),
            sampling=SamplingConfig(num_samples=8, max_tokens=128, trajectories_per_unit=16),
            pool=pool,
        )
    file = folder / "walks.jsonl"
    walks = markov_problems(200, seed=1)
    rows = [json.dumps({"question": w.question, "answer": w.answer}) + "\n" for w in walks]
    file.write_text("".join(rows))
    return SamplingJob(
        problems=FileProblemsConfig(path=file),
        policy=MarkovConfig(),
        prompt=PlainPromptConfig(),
        sampling=SamplingConfig(num_samples=4, max_tokens=16, trajectories_per_unit=4),
        pool=pool,
    )


def run_undisturbed(root: Path, job: SamplingJob) -> Rows:
    """What a run makes that nobody kills.

    Raises:
        RuntimeError: it does not come to a good end.
    """
    with contextlib.closing(CommandRun(root, job)) as run:
        _wait_for_end(run)
        if (message := run.message()) is not None:
            raise RuntimeError(f"the undisturbed run failed: {message}")
    rows, complaints = read_rows(root)
    if complaints:
        raise RuntimeError(f"the undisturbed run: {complaints}")
    return rows


def kill_and_rerun(
    trial: Trial, root: Path, job: SamplingJob, expected: Rows, server: Server
) -> dict[str, Any]:
    """Kill in the middle of a run and run again; the report, complaints among it."""
    start = _start_deployed if trial.kind == "worker" else CommandRun
    server.start()
    begun = time.monotonic()
    with contextlib.closing(start(root, job)) as run:
        victim = _wait_for_moment(run, trial, root, expected.num_files, server)
        descendants = [p for p in _family(run.top) if p != victim]
        killed_s = time.monotonic() - begun
        name = _kill(victim, trial, server)
        committed, notes = _look_at_files(root), _notes(root)
        _wait_for_end(run)
        ended_s = time.monotonic() - begun - killed_s
        message = run.message() if run.is_over() else f"hangs for {_HANGS_S:.0f} s"
    leftovers = _wait_for_deaths(descendants)
    complaints = [f"outlives the run: {name}" for name in leftovers]
    began_again = time.monotonic()
    server.start()
    with contextlib.closing(start(root, job)) as run:
        _wait_for_end(run)
        if not run.is_over() or (again := run.message()) is not None:
            complaints.append(f"the rerun failed: {again if run.is_over() else 'it hangs'}")
    lost = _count_lost(root, committed, notes)
    complaints += check_store(root, expected, committed)
    if max(lost.values(), default=0) > trial.units_in_flight:
        complaints.append(f"actors lost units: {dict(lost)}, expected {trial.units_in_flight}")
    return {
        "kind": trial.kind,
        "engine": trial.engine,
        "victim": name,
        "units_in_flight": trial.units_in_flight,
        "killed_after_s": round(killed_s, 1),
        "units_committed": len(committed),
        "units": expected.num_files,
        "went_on": message is None,
        "message": message,
        "ended_after_s": round(ended_s, 1),
        "rerun_s": round(time.monotonic() - began_again, 1),
        "units_lost": sum(lost.values()),
        "most_lost_by_an_actor": max(lost.values(), default=0),
        "same_texts": _share_of_same_texts(root, expected),
        "complaints": complaints,
    }


def check_store(root: Path, expected: Rows, committed: dict[Path, tuple[int, int]]) -> list[str]:
    """What is wrong in a store after a rerun; nothing, if all is well.

    Args:
        root: the store.
        expected: what an undisturbed run makes.
        committed: inode and time of each file that was there when something was killed.
    """
    rows, complaints = read_rows(root)
    if missing := expected.by_id.keys() - rows.by_id.keys():
        complaints.append(f"{len(missing)} solutions are missing, such as {min(missing)}")
    if unknown := rows.by_id.keys() - expected.by_id.keys():
        complaints.append(f"{len(unknown)} solutions should not be, such as {min(unknown)}")
    for trajectory_id in expected.by_id.keys() & rows.by_id.keys():
        if rows.by_id[trajectory_id][:2] != expected.by_id[trajectory_id][:2]:
            complaints.append(f"{trajectory_id} is of another problem or index")
    now = _look_at_files(root)
    changed = [file.name for file, what in committed.items() if now.get(file) != what]
    if changed:
        complaints.append(f"written again: {', '.join(changed)}")
    if rows.num_files != expected.num_files:
        complaints.append(f"expected {expected.num_files} files, got {rows.num_files}")
    return complaints


def read_rows(root: Path) -> tuple[Rows, list[str]]:
    """The solutions in a store, and what is wrong with its files: unreadable, or a row twice."""
    by_id: dict[str, tuple[Any, ...]] = {}
    complaints = []
    for file in sorted(root.rglob("*.parquet")):
        try:
            table = pq.ParquetFile(file).read()
        except (pa.ArrowException, OSError) as error:
            complaints.append(f"{file} is unreadable: {error}")
            continue
        if "trajectories" not in file.relative_to(root).parts:
            continue
        for row in table.to_pylist():
            if row["trajectory_id"] in by_id:
                complaints.append(f"{row['trajectory_id']} is there twice")
            text = "".join(step["text"] for step in row["steps"])
            place = row["problem_id"], row["sample_index"]
            by_id[row["trajectory_id"]] = (*place, text, row["answer"], row["correct"])
    num_places = len({row[:2] for row in by_id.values()})
    if num_places != len(by_id):
        complaints.append(f"{len(by_id)} solutions in {num_places} places")
    return Rows(by_id, len(_look_at_files(root))), complaints


def _wait_for_moment(
    run: Run, trial: Trial, root: Path, num_units: int, server: Server
) -> psutil.Process:
    """The process to be killed, when the trial's time has come."""
    wanted = round(trial.share * num_units)
    deadline = time.monotonic() + _HANGS_S
    while time.monotonic() < deadline and not run.is_over():
        if len(_look_at_files(root)) >= wanted and _victims(run, trial.kind, server):
            time.sleep(trial.delay_s)
            if victims := _victims(run, trial.kind, server):
                return random.Random(trial.delay_s).choice(victims)
        time.sleep(_LOOK_EVERY_S)
    raise RuntimeError(f"there was no {trial.kind} to be killed: {run.message()}")


def _victims(run: Run, kind: Kind, server: Server) -> list[psutil.Process]:
    """The running processes of a kind, of this run."""
    if kind == "server":
        return server.processes()[-1:]
    if kind == "flow":
        return [run.flow] if run.flow.is_running() else []
    matches: dict[str, Callable[[str, str], bool]] = {
        "worker": lambda name, line: "worker start" in line,
        "actor": lambda name, line: line.startswith("ray::") and "_HostActor" in line,
        "engine": lambda name, line: "EngineCore" in name or "EngineCore" in line,
        "raylet": lambda name, line: name == "raylet",
        "gcs": lambda name, line: name == "gcs_server",
    }
    found = []
    for process in _family(run.top):
        with contextlib.suppress(psutil.Error):
            if matches[kind](process.name(), " ".join(process.cmdline())):
                found.append(process)
    return found


def _kill(victim: psutil.Process, trial: Trial, server: Server) -> str:
    """Kill with signal 9; what the process was called."""
    name = " ".join(victim.cmdline())[:60] if trial.kind != "server" else "prefect server"
    for process in server.processes() if trial.kind == "server" else [victim]:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    return name


def _family(top: psutil.Process) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return [top, *top.children(recursive=True)]
    return []


def _wait_for_end(run: Run) -> None:
    deadline = time.monotonic() + _HANGS_S
    while not run.is_over() and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)


def _wait_for_deaths(processes: Sequence[psutil.Process]) -> list[str]:
    """What those were called that outlive their run for too long; they are killed."""
    _, alive = psutil.wait_procs(list(processes), timeout=_LEFTOVERS_S)
    names = []
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            names.append(f"{process.name()} {' '.join(process.cmdline())[:60]}")
            process.kill()
    return names


def _look_at_files(root: Path) -> dict[Path, tuple[int, int]]:
    """Inode and time of every committed file of solutions."""
    found = {}
    for file in root.glob(f"trajectories/run_id={RUN_ID}/stage=sampling/*.parquet"):
        status = file.stat()
        found[file] = status.st_ino, status.st_mtime_ns
    return found


def _notes(root: Path) -> list[tuple[str, str]]:
    """Which process began which unit, in order."""
    file = Path(f"{root}.begun")
    lines = file.read_text().splitlines() if file.exists() else []
    return [(unit, process) for unit, process in (line.split() for line in lines)]


def _count_lost(
    root: Path, committed: dict[Path, tuple[int, int]], before: Sequence[tuple[str, str]]
) -> Counter[str]:
    """By actor, the units it was in at the kill that were begun again."""
    there = {str(file.relative_to(root)) for file in committed}
    times = Counter(unit for unit, _ in _notes(root))
    return Counter(actor for unit, actor in set(before) if unit not in there and times[unit] > 1)


def _share_of_same_texts(root: Path, expected: Rows) -> float:
    rows, _ = read_rows(root)
    same = sum(rows.by_id.get(key) == row for key, row in expected.by_id.items())
    return round(same / len(expected.by_id), 4)


def _start_deployed(root: Path, job: SamplingJob) -> Run:
    return DeployedRun(root, job, run_id=RUN_ID)


def make_trials(plan: Sequence[tuple[Kind, EngineName]], seed: int) -> Iterator[Trial]:
    """A trial for each place of the plan, its moment drawn at random; a sixth while it starts."""
    rng = random.Random(seed)
    for index, (kind, engine) in enumerate(plan):
        share = 0.0 if rng.random() < 1 / 6 else rng.uniform(0.0, _LATEST)
        yield Trial(
            kind=kind,
            engine=engine,
            units_in_flight=1 + index % 2,
            share=share,
            delay_s=rng.uniform(0.0, 0.5),
        )


def measure(plan: Sequence[tuple[Kind, EngineName]], seed: int, port: int) -> dict[str, Any]:
    """Do every trial; all reports, and what is true of all."""
    reports: list[dict[str, Any]] = []
    server = Server(port)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["PREFECT_HOME"] = str(folder / "prefect")
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
        os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")
        expected: dict[EngineName, Rows] = {}
        undisturbed_s: dict[str, float] = {}
        try:
            server.start()
            for index, trial in enumerate(make_trials(plan, seed)):
                if trial.engine not in expected:
                    begun = time.monotonic()
                    job = make_job(trial.engine, folder)
                    root = folder / f"undisturbed-{len(expected)}"
                    expected[trial.engine] = run_undisturbed(root, job)
                    undisturbed_s[trial.engine] = round(time.monotonic() - begun, 1)
                    sys.stderr.write(f"undisturbed: {undisturbed_s}\n")
                job = make_job(trial.engine, folder, trial.units_in_flight)
                root = folder / f"store-{index}"
                reports.append(kill_and_rerun(trial, root, job, expected[trial.engine], server))
                sys.stderr.write(f"{json.dumps(reports[-1])}\n")
        finally:
            server.stop()
    return {
        "kills": len(reports),
        "seed": seed,
        "complaints": sum(len(report["complaints"]) for report in reports),
        "went_on": sum(report["went_on"] for report in reports),
        "units_lost": sum(report["units_lost"] for report in reports),
        "most_lost_by_an_actor": {
            str(number): max(
                (r["most_lost_by_an_actor"] for r in reports if r["units_in_flight"] == number),
                default=None,
            )
            for number in (1, 2)
        },
        "undisturbed_s": undisturbed_s,
        "reports": reports,
    }


def main() -> None:
    """Kill, run again, check; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="three kills, the Markov engine alone")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=4290, help="of a Prefect server of its own")
    parser.add_argument("--only", help="kills of one kind")
    arguments = parser.parse_args()
    plan = QUICK_PLAN if arguments.quick else PLAN
    plan = [place for place in plan if arguments.only in (None, place[0])]
    figures = measure(plan, arguments.seed, arguments.port)
    print(json.dumps({"benchmark": "kill", "quick": arguments.quick, **figures}))


if __name__ == "__main__":
    main()
