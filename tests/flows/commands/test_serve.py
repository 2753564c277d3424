"""`stepmill serve` on a real Prefect server: deployments, schedules, bad parameters, its end."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from storage import connect, query
from tasks.engines.markov_engine import markov_problems

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[3]
PATIENCE_S = 240.0
EVERY_S = 20
DEPLOYED = ("factory", "problems", "sampling")


@dataclass
class Served:
    """A `stepmill serve` in its own process, and its output so far."""

    root: Path
    environment: dict[str, str]
    process: subprocess.Popen
    said: list[str] = field(default_factory=list)

    def prefect(self, *arguments):
        command = [sys.executable, "-m", "prefect", *map(str, arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env=self.environment
        )

    def ask(self, sql):
        return query(connect(self.root), sql).fetchall()


def wait_until(is_true, what, patience_s=PATIENCE_S):
    deadline = time.monotonic() + patience_s
    while not (found := is_true()):
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s for {what}"
        time.sleep(0.5)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def processes_with(variable):
    """The processes that have a variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if variable.encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def sampling_job(problems, **sampling):
    return {
        "problems": {"type": "file", "path": str(problems)},
        "policy": {"type": "markov", "num_steps": 4},
        "grader": {"type": "exact"},
        "sampling": {"max_tokens": 10, **sampling},
    }


def write_walks(path, number):
    rows = [{"question": p.question, "answer": p.answer} for p in markov_problems(number, seed=3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serve")
    plan = yaml.safe_load((PROJECT / "prefect.yaml").read_text())
    # Each takes about a second; tests/test_prefect_yaml.py looks at all of them.
    plan["deployments"] = [each for each in plan["deployments"] if each["name"] in DEPLOYED]
    for deployment in plan["deployments"]:
        deployment.pop("schedules", None)
        if deployment["name"] == "problems":
            deployment["schedules"] = [{"interval": EVERY_S}]
            deployment["parameters"]["job"] = {"problems": {"type": "world", "num_problems": 3}}
    deployments = folder / "deployments.yaml"
    deployments.write_text(yaml.safe_dump(plan))
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")},
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PYTHONPATH": str(PROJECT),
        "DO_NOT_TRACK": "1",
    }
    root = folder / "store"
    command = [sys.executable, "-m", "flows.cli", "serve", "--root", str(root), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--deployments", str(deployments)],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment,
        cwd=folder,
        start_new_session=True,
    )
    assert process.stderr is not None
    lines = process.stderr
    environment = {**environment, "PREFECT_API_URL": f"http://127.0.0.1:{port}/api"}
    server = Served(root, environment, process)
    threading.Thread(target=lambda: server.said.extend(lines), daemon=True).start()
    try:
        wait_until(lambda: process.poll() is not None or "ready" in "".join(server.said), "ready")
        assert process.poll() is None, "".join(server.said)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def test_it_says_where_the_ui_is_and_what_is_deployed(served):
    said = "".join(served.said)
    port = served.environment["PREFECT_API_URL"].split(":")[2].removesuffix("/api")
    assert f"UI:    http://127.0.0.1:{port}\n" in said
    assert "prefect deployment run factory/factory" in said
    lines = [" ".join(line.split()) for line in served.said]
    assert f"problems/problems every 0:00:{EVERY_S}" in lines
    assert "factory/factory on request" in lines


@pytest.mark.parametrize(
    ("deployment", "parameter", "message"),
    [
        (
            "factory/factory",
            'config={"eval_sampling": {"num_samples": 0}}',
            "'config.eval_sampling.num_samples'. Failure reason: 0 is less than the minimum of 1",
        ),
        (
            "sampling/sampling",
            'job={"problems": {"type": "world"}, "policy": {"type": "markov", "p_right": 7}}',
            "'job.policy.p_right'. Failure reason: 7 is greater than or equal to the maximum of 1",
        ),
    ],
)
def test_a_wrong_parameter_is_answered_with_its_field(served, deployment, parameter, message):
    finished = served.prefect("deployment", "run", deployment, "-p", parameter)
    assert finished.returncode == 1
    assert message in " ".join((finished.stdout + finished.stderr).split())


def test_a_run_that_is_asked_for_makes_its_rows_and_says_so_in_its_log(served, tmp_path):
    job = sampling_job(write_walks(tmp_path / "walks.jsonl", 6), num_samples=3)
    run = ("deployment", "run", "sampling/sampling", "--watch", "--watch-interval", "1")
    finished = served.prefect(*run, "-p", f"job={json.dumps(job)}", "-p", "run_id=asked")
    assert finished.returncode == 0, finished.stdout + finished.stderr
    counts = "count(*), count(distinct trajectory_id), count(distinct problem_id)"
    assert served.ask(f"select {counts} from trajectories where run_id = 'asked'") == [(18, 18, 6)]
    states = "select flow, part, state from run_state where run_id = 'asked' order by flow"
    assert served.ask(states) == [
        ("problems", "eval", "completed"),
        ("sampling", "eval", "completed"),
    ]
    (flow_run,) = json.loads(
        served.prefect("flow-run", "ls", "--flow-name", "sampling", "-o", "json").stdout
    )
    logs = served.prefect("flow-run", "logs", flow_run["id"]).stdout
    assert "sample eval: 18 of 18 rows" in " ".join(logs.split())


def test_the_schedule_fires_and_each_run_has_an_id_of_its_own(served):
    completed = """
        select count(distinct run_id) from run_state
        where flow = 'problems' and state = 'completed' and starts_with(run_id, 'problems-20')
    """
    wait_until(lambda: served.ask(completed)[0][0] >= 2, "two scheduled runs")
    per_run = """
        select distinct count(*) from problems
        where starts_with(run_id, 'problems-20') group by run_id
    """
    assert served.ask(per_run) == [(3,)]


def test_a_retry_of_a_failed_run_goes_on_under_the_same_run_id(served, tmp_path):
    missing = tmp_path / "late.jsonl"
    job = {"problems": {"type": "file", "path": str(missing)}, "set_name": "late"}
    run = ("deployment", "run", "problems/problems", "--watch", "--watch-interval", "1")
    assert served.prefect(*run, "-p", f"job={json.dumps(job)}").returncode == 1
    state = "select run_id, state from run_state where part = 'late'"
    ((run_id, failed),) = served.ask(state)
    assert failed == "failed"
    write_walks(missing, 2)
    failed_runs = served.prefect("flow-run", "ls", "--state", "Failed", "-o", "json").stdout
    (flow_run,) = json.loads(failed_runs)
    assert served.prefect("flow-run", "retry", flow_run["id"]).returncode == 0
    wait_until(lambda: served.ask(state) == [(run_id, "completed")], "the retry")


def test_a_port_that_is_taken_is_named_with_another_to_choose(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "flows.cli", "serve", "--port", str(port)]
        finished = subprocess.run(
            [*command, "--root", str(tmp_path / "store")],
            capture_output=True,
            text=True,
            check=False,
        )
    assert finished.returncode == 2
    assert f"stepmill: port {port} is taken" in finished.stderr
    assert "choose another, such as --port 42" in finished.stderr


def test_sigterm_ends_it_with_everything_it_started(served, tmp_path):
    """A run is in the middle of its work at that moment; its committed work stays."""
    job = sampling_job(
        write_walks(tmp_path / "many.jsonl", 2000), num_samples=50, trajectories_per_unit=500
    )
    run = ("deployment", "run", "sampling/sampling", "-p", f"job={json.dumps(job)}")
    assert served.prefect(*run, "-p", "run_id=cut").returncode == 0
    rows = "select count(*) from trajectories where run_id = 'cut'"
    wait_until(lambda: served.ask(rows)[0][0] > 0, "the first rows")
    os.kill(served.process.pid, signal.SIGTERM)
    assert served.process.wait(90) == 128 + signal.SIGTERM
    wait_until(
        lambda: not processes_with(f"PREFECT_HOME={served.environment['PREFECT_HOME']}"),
        "the last process",
        30,
    )
    made = served.ask(rows)[0][0]
    assert 0 < made < 100_000
    assert made % 500 == 0
