"""A run over three hosts, one of which is cut off and one killed in mid-run."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest

from schemas.rows import PROBLEMS
from schemas.units import Unit
from tasks.engines.markov_engine import markov_problems

pytestmark = [pytest.mark.ray, pytest.mark.slow]
NUM_PROBLEMS, NUM_SAMPLES, NUM_UNITS = 1200, 100, 60
TIMEOUT_S = 120.0
CONFIG = f"""
problems: {{type: world}}
policy: {{type: markov, num_steps: 10}}
sampling:
  {{num_samples: {NUM_SAMPLES}, max_tokens: 20,
   trajectories_per_unit: {NUM_PROBLEMS * NUM_SAMPLES // NUM_UNITS}}}
pool: {{num_actors: 3}}
"""


def wait_for(condition, what):
    deadline = time.monotonic() + TIMEOUT_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} took more than {TIMEOUT_S:g} s"
        time.sleep(0.1)
    return found


@pytest.fixture
def cluster(short_folder, hosts, tmp_path):
    """A Ray head and two workers with a core each, which notice a lost host within seconds."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "RAY_AUTH_MODE": "disabled",
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "2000",
        "RAY_health_check_failure_threshold": "3",
        # So that the processes of the disconnected host still exist when the run has ended.
        "RAY_gcs_rpc_server_reconnect_timeout_s": "300",
    }
    environment.pop("RAY_ADDRESS", None)
    logs = {}
    for name in ("head", "cut", "killed"):
        address = hosts.add(name)
        if name == "head":
            head = f"{address}:6379"
            role = ["--head", "--port=6379", "--include-dashboard=false"]
        else:
            role = [f"--address={head}"]
        ray = [str(Path(sys.executable).with_name("ray")), "start", *role]
        ray += [f"--node-ip-address={address}", "--num-cpus=1", "--object-store-memory=100000000"]
        logs[name] = tmp_path / f"{name}.log"
        ray += [f"--temp-dir={short_folder}/{name}", "--block", "--disable-usage-stats"]
        with logs[name].open("w") as log:
            hosts.start(name, *ray, env=environment, stdout=log, stderr=subprocess.STDOUT)
    for name, log in logs.items():
        wait_for(lambda log=log: "Ray runtime started" in log.read_text(), f"Ray on {name}")
    return hosts, environment | {"RAY_ADDRESS": head}


def actors_on(hosts, name):
    found = []
    for pid in hosts.process_ids(name):
        try:
            if psutil.Process(pid).cmdline()[0].startswith("ray::_HostActor"):
                found.append(pid)
        except (psutil.Error, IndexError):
            continue
    return found


def stop_at_work(pid):
    """Stop an actor while it is working on a unit; Ray puts the method that runs into its title."""

    def is_at_work():
        os.kill(pid, signal.SIGSTOP)
        if "." in psutil.Process(pid).cmdline()[0]:
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    wait_for(is_at_work, "a unit of the host that is cut off")


def is_running(pid):
    """Whether a process is still running; a zombie is not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_run_ends_right_when_one_host_is_cut_off_and_one_is_killed(cluster, store, tmp_path):
    hosts, environment = cluster
    source = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(source, markov_problems(NUM_PROBLEMS, seed=3))
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    command = [sys.executable, "-m", "flows.cli", "run", "sampling", "--run-id", "run"]
    with (tmp_path / "run.log").open("w") as log:
        run = hosts.start(
            "head",
            *command,
            *("--root", store.url, "--config", str(config)),
            env=environment | {"PREFECT_HOME": str(tmp_path / "prefect")},
            stdout=log,
            stderr=subprocess.STDOUT,
        )

    def files():
        found = store.root.glob("trajectories/**/*.parquet")
        return {path: path.stat().st_mtime_ns for path in found}

    def wait_for_files(number):
        def are_there():
            assert run.poll() is None, (tmp_path / "run.log").read_text()
            return len(files()) >= number

        wait_for(are_there, f"unit {number}")

    wait_for_files(5)
    (cut_off,) = actors_on(hosts, "cut")
    (killed,) = actors_on(hosts, "killed")
    # So that it is still working on its units when others have finished them.
    stop_at_work(cut_off)
    hosts.cut_off("cut")
    before = files()
    wait_for_files(25)
    hosts.kill("killed")
    assert not is_running(killed)
    assert run.wait(TIMEOUT_S) == 0, (tmp_path / "run.log").read_text()

    written = files()
    assert len(written) == NUM_UNITS
    assert before.items() <= written.items()
    staging = store.root / ".staging"
    # What the killed host was writing stays there for a day.
    moment, unfinished = staging.stat().st_mtime_ns, set(staging.iterdir())
    os.kill(cut_off, signal.SIGCONT)
    wait_for(lambda: staging.stat().st_mtime_ns > moment, "a late write")
    wait_for(lambda: unfinished.issuperset(staging.iterdir()), "the end of a late write")
    assert files() == written

    trajectory_ids: list[str] = []
    samples_of: Counter[str] = Counter()
    for path in written:
        table = pq.ParquetFile(path).read(columns=["trajectory_id", "problem_id"])
        trajectory_ids += table["trajectory_id"].to_pylist()
        samples_of.update(table["problem_id"].to_pylist())
    assert len(set(trajectory_ids)) == len(trajectory_ids) == NUM_PROBLEMS * NUM_SAMPLES
    assert set(samples_of.values()) == {NUM_SAMPLES}
    assert len(samples_of) == NUM_PROBLEMS
