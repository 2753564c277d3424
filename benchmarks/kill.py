"""`kill -9` of every kind of process at random moments of a run, each followed by a rerun.

A run samples solutions with the shipped policy in vLLM, or with the Markov engine, which is fast.
One of its processes is killed: the flow's, the Prefect worker, a host actor, vLLM's own engine
process, the Prefect server, Ray's raylet or its control store. The report says what the run does
then: whether it continues or ends, and with which message. After a rerun with the same run id, the
store must hold what an undisturbed run makes: every solution of every problem once, in readable
files; and no unit that was committed before the kill may be started again. Actors and engines end
with their run, and Ray's own processes within two minutes; where more runs than there are cores, as
much longer as they wait for one. Each complaint is printed on standard error as it comes.

A unit is *lost* by the process that started it if it had to be started once more. No actor may lose
more units than it works on at once (`units_in_flight`: 1 in every second run, else 2). Prints one
JSON object on its last line.

    python -m benchmarks.kill --quick
"""

import argparse
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import psutil

from benchmarks.deployed import DeployedRun
from benchmarks.solutions import (
    Solutions,
    check_store,
    count_lost,
    look_at_files,
    read_solutions,
    read_starts,
    share_of_same,
)
from benchmarks.victims import (
    LOOK_EVERY_S,
    CommandRun,
    Family,
    Kind,
    Run,
    Server,
    find_victims,
    kill,
    patience_s,
    wait_for_end,
)
from schemas.engines import SHIPPED_POLICY, MarkovConfig, VLLMConfig
from schemas.pool import PoolConfig
from schemas.problems import FileProblemsConfig, WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from tasks.engines.markov_engine import markov_problems

EngineName = Literal["markov", "vllm", "vllm own process"]

RUN_ID = "kill"
_HANGS_S = 400.0
_ACTORS_END_S = 15.0
"""Seconds, on a machine that is not busy, in which actors and engines end with their run."""
_LATEST = 0.7
"""Share of committed units after which nothing is killed, because the run might be over."""

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

_WITHOUT: tuple[Kind, ...] = ("actor", "engine")
"""The processes that a run replaces by itself."""
_NUM_PROBLEMS = {"markov": 200, "vllm": 120}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What is killed, in what kind of run, and when."""

    kind: Kind
    engine: EngineName
    units_in_flight: int
    share: float
    """How many of the run's units are committed when it happens."""
    delay_s: float
    """How long after that."""


def make_job(engine: EngineName, folder: Path, units_in_flight: int = 2) -> SamplingJob:
    """A sampling job: dozens of units for vLLM, hundreds for the Markov engine."""
    own = engine == "vllm own process"
    pool = PoolConfig(num_actors=1 if own else 2, units_in_flight=units_in_flight)
    if engine != "markov":
        return SamplingJob(
            problems=WorldProblemsConfig(num_problems=_NUM_PROBLEMS["vllm"]),
            policy=VLLMConfig(model=SHIPPED_POLICY, process="own" if own else "host"),
            sampling=SamplingConfig(num_samples=8, max_tokens=128, trajectories_per_unit=16),
            pool=pool,
        )
    file = folder / "walks.jsonl"
    walks = markov_problems(_NUM_PROBLEMS["markov"], seed=1)
    rows = [json.dumps({"question": w.question, "answer": w.answer}) + "\n" for w in walks]
    file.write_text("".join(rows))
    return SamplingJob(
        problems=FileProblemsConfig(path=file),
        policy=MarkovConfig(),
        prompt=PlainPromptConfig(),
        sampling=SamplingConfig(num_samples=4, max_tokens=16, trajectories_per_unit=4),
        pool=pool,
    )


def run_undisturbed(root: Path, job: SamplingJob) -> Solutions:
    """What an undisturbed run makes.

    Raises:
        RuntimeError: it fails.
    """
    with contextlib.closing(CommandRun(root, job, RUN_ID)) as run:
        complaints = _finish(run, "the undisturbed run")
    solutions, wrong = read_solutions(root)
    num_solutions = job.sampling.num_samples * _NUM_PROBLEMS[job.policy.type]
    if len(solutions.by_id) != num_solutions:
        wrong.append(f"expected {num_solutions} solutions, got {len(solutions.by_id)}")
    if complaints or wrong:
        raise RuntimeError(f"the undisturbed run: {[*complaints, *wrong]}")
    return solutions


def kill_and_rerun(
    trial: Trial, root: Path, job: SamplingJob, expected: Solutions, server: Server
) -> tuple[dict[str, Any], Family]:
    """Kill a process in the middle of a run and run again.

    Returns:
        The report, complaints among it, and the processes of the disturbed run.
    """
    start = DeployedRun if trial.kind == "worker" else CommandRun
    server.start()
    begun = time.monotonic()
    with contextlib.closing(start(root, job, RUN_ID)) as run:
        family = Family(run.top)
        victim = _wait_for_moment(run, family, trial, root, expected.num_files, server)
        name = kill(victim, trial.kind, server)
        killed = time.monotonic()
        committed, starts = look_at_files(root), read_starts(root)
        wait_for_end(run, family, patience_s(_HANGS_S))
        ended = time.monotonic()
        hangs = not run.is_over()
        message = "it hangs" if hangs else run.message()
    complaints = ["the run hangs after the kill"] if hangs else []
    complaints += _wait_for_actors(family, server)
    if message is not None and trial.kind in _WITHOUT:
        complaints.append(f"expected the run to continue without its {trial.kind}, got {message}")
    server.start()
    began_again = time.monotonic()
    with contextlib.closing(start(root, job, RUN_ID)) as run:
        complaints += _finish(run, "the rerun")
    lost = count_lost(read_starts(root))
    if max(lost.values(), default=0) > trial.units_in_flight:
        complaints.append(f"actors lost units: {dict(lost)}, expected {trial.units_in_flight}")
    report = {
        "kind": trial.kind,
        "engine": trial.engine,
        "victim": name,
        "units_in_flight": trial.units_in_flight,
        "killed_after_s": round(killed - begun, 1),
        "units_committed": len(committed),
        "units": expected.num_files,
        "went_on": message is None,
        "message": message,
        "ended_after_s": round(ended - killed, 1),
        "rerun_s": round(time.monotonic() - began_again, 1),
        "units_lost": sum(lost.values()),
        "most_lost_by_an_actor": max(lost.values(), default=0),
        "same_texts": share_of_same(root, expected),
        "complaints": complaints + check_store(root, expected, committed, starts),
    }
    return report, family


def _wait_for_actors(family: Family, server: Server) -> list[str]:
    """The actors and engines that outlive their run and hold memory that others may need."""
    begun = time.monotonic()
    while True:
        living = [p for kind in _WITHOUT for p in find_victims(family, kind, server)]
        passed = time.monotonic() - begun
        if not living or passed > patience_s(_ACTORS_END_S):
            return [f"outlives the run by {passed:.0f} s: {p}" for p in living]
        time.sleep(LOOK_EVERY_S)


def _finish(run: Run, name: str) -> list[str]:
    """Wait for the end of an undisturbed run; what is wrong with its end."""
    family = Family(run.top)
    wait_for_end(run, family, patience_s(_HANGS_S))
    hangs = not run.is_over()
    message = None if hangs else run.message()
    run.close()
    complaints = [f"{name} hangs"] if hangs else []
    if message is not None:
        complaints.append(f"{name} failed: {message}")
    return complaints + [f"outlives {name}: {process}" for process in family.wait_for_deaths()]


def _wait_for_moment(
    run: Run, family: Family, trial: Trial, root: Path, num_units: int, server: Server
) -> psutil.Process:
    """The process to kill, once the trial's moment has come."""
    wanted = round(trial.share * num_units)
    deadline = time.monotonic() + _HANGS_S
    while time.monotonic() < deadline and not run.is_over():
        if len(look_at_files(root)) >= wanted and find_victims(family, trial.kind, server):
            time.sleep(trial.delay_s)
            if victims := find_victims(family, trial.kind, server):
                return random.Random(trial.delay_s).choice(victims)
        time.sleep(LOOK_EVERY_S)
    why = run.message() if run.is_over() else "the run takes too long"
    raise RuntimeError(f"there was no {trial.kind} to kill: {why}")


def make_trials(plan: Sequence[tuple[Kind, EngineName]], seed: int) -> list[Trial]:
    """A trial for each entry of the plan at a random moment, a sixth of them during the start."""
    rng = random.Random(seed)
    trials = []
    for index, (kind, engine) in enumerate(plan):
        share = 0.0 if rng.random() < 1 / 6 else rng.uniform(0.0, _LATEST)
        delay_s = rng.uniform(0.0, 0.5)
        trials.append(
            Trial(
                kind=kind,
                engine=engine,
                units_in_flight=1 + index % 2,
                share=share,
                delay_s=delay_s,
            )
        )
    return trials


def make_environment(folder: Path, port: int) -> dict[str, str]:
    """Environment that points this process and its children to a separate Prefect server."""
    return {
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }


def measure(trials: Sequence[Trial], folder: Path, port: int) -> dict[str, Any]:
    """Run every trial in the environment of `make_environment`; the reports and a summary.

    Raises:
        RuntimeError: an undisturbed run failed, or there was nothing to kill.
    """
    reports: list[dict[str, Any]] = []
    families: list[Family] = []
    expected: dict[EngineName, Solutions] = {}
    undisturbed_s: dict[str, float] = {}
    server = Server(port)
    try:
        for index, trial in enumerate(trials):
            server.start()
            job = make_job(trial.engine, folder, trial.units_in_flight)
            if trial.engine not in expected:
                begun = time.monotonic()
                root = folder / f"undisturbed-{len(expected)}"
                expected[trial.engine] = run_undisturbed(root, job)
                undisturbed_s[trial.engine] = round(time.monotonic() - begun, 1)
            root = folder / f"store-{index}"
            report, family = kill_and_rerun(trial, root, job, expected[trial.engine], server)
            reports.append(report)
            families.append(family)
            _say(trial, report["complaints"])
            sys.stderr.write(f"{json.dumps(report)}\n")
    finally:
        server.stop()
        # All at once: after a kill Ray's agents take a minute to notice that they are alone.
        leftovers = [family.wait_for_deaths() for family in families]
    for trial, report, names in zip(trials, reports, leftovers, strict=True):
        late = [f"outlives the run: {name}" for name in names]
        _say(trial, late)
        report["complaints"] += late
    return {
        "kills": len(reports),
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


def _say(trial: Trial, complaints: Sequence[str]) -> None:
    for complaint in complaints:
        sys.stderr.write(f"complaint, {trial.kind} of {trial.engine}: {complaint}\n")
    sys.stderr.flush()


def main() -> None:
    """Kill, rerun, check; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="three kills, the Markov engine only")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--port", type=int, default=4290, help="port of its own Prefect server")
    parser.add_argument("--only", nargs="+", choices=get_args(Kind), help="kill only these")
    parser.add_argument(
        "--engines", nargs="+", choices=get_args(EngineName), help="use only these engines"
    )
    arguments = parser.parse_args()
    # A termination from outside also ends the processes that this one started.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    trials = make_trials(QUICK_PLAN if arguments.quick else PLAN, arguments.seed)
    kinds, engines = arguments.only or get_args(Kind), arguments.engines or get_args(EngineName)
    trials = [trial for trial in trials if trial.kind in kinds and trial.engine in engines]
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(make_environment(Path(folder), arguments.port))
        figures = measure(trials, Path(folder), arguments.port)
    settings = {"quick": arguments.quick, "seed": arguments.seed}
    print(json.dumps({"benchmark": "kill", **settings, **figures}))


if __name__ == "__main__":
    main()
