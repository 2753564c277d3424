"""`stepmill critique` on stored solutions: two critics in one run, resumed, killed, refused."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from flows.commands.critique import CritiqueOptions
from flows.runs.critics import critiqued_files
from schemas.critiques import CritiquesJob
from schemas.regrading import RegradingJob
from schemas.rows import PROBLEMS
from schemas.sampling import SamplingJob
from schemas.units import Unit
from storage import Store, connect, query
from tasks.engines.markov_engine import markov_problems

NUM_PROBLEMS, NUM_SAMPLES = 6, 4
POLICY = {"type": "markov", "num_steps": 3, "p_right": 0.75}
_LINE = re.compile(r"^(Step \d+: (?:ok|off) \d|Answer: \d)$", re.MULTILINE)
_PATIENCE_S = 300

pytestmark = pytest.mark.slow


class Critics(ThreadingHTTPServer):
    """`acme/oracle` sees every wrong step of a walk, `acme/nod` none."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        reply = review(body["messages"][-1]["content"], nods="nod" in body["model"])
        choice = {"index": 0, "message": {"role": "assistant", "content": reply}}
        usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
        text = json.dumps(
            {"choices": [{**choice, "finish_reason": "stop"}], "usage": usage}
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        """Keep the test's output clean."""


def review(message, *, nods):
    said = []
    for line in _LINE.findall(message):
        is_wrong = ": off " in line and not nods
        said.append(f"{line.split(':')[0]}: {'wrong' if is_wrong else 'right'}")
        if is_wrong:
            return "\n".join([*said, "Review: wrong"])
    return "\n".join([*said, "Review: right"])


@pytest.fixture(scope="module")
def critics():
    with Critics() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def sampled(tmp_path_factory, prefect_server):
    """A store with solutions of a policy that is right in .75³ of cases."""
    from flows.sampling import sample

    store = Store(tmp_path_factory.mktemp("critiques") / "store")
    unit = Unit(run_id="r", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(unit, markov_problems(NUM_PROBLEMS, seed=3))
    job = SamplingJob.from_partial(
        {
            "problems": {"type": "world"},
            "policy": POLICY,
            "grader": {"type": "exact"},
            "sampling": {
                "num_samples": NUM_SAMPLES,
                "max_tokens": 20,
                "trajectories_per_unit": NUM_SAMPLES,
            },
        }
    )
    sample(job, store.url, "r")
    return store


def job_of(critics, name, store, **fields):
    """A job as the command makes it: policy and grader are the recorded ones."""
    values = CritiqueOptions(run_id="r", retries=1).values(store)
    server = {"base_url": f"http://127.0.0.1:{critics.server_port}/v1", "kind": "other"}
    engine = {"type": "openai", "model": f"acme/{name}", "api": "chat", "server": server}
    values["critic"] = {"engine": engine, "prompt": {"type": "chat"}}
    values["refining"] = {**values["refining"], "max_tokens": 20}
    return CritiquesJob.from_partial({**values, **fields})


def ask(store, sql):
    return query(connect(store.url), sql).fetchall()


@pytest.fixture(scope="module")
def critiqued(sampled, critics):
    """The store after two critics."""
    from flows.critiques import critique

    for name in ("oracle", "nod"):
        critique(job_of(critics, name, sampled), sampled.url, "r")
    return sampled


def figures(store, metric, strategy="critique"):
    return dict(
        ask(
            store,
            "select verifier, value from curves where bin = 'all' and against is null "
            f"and strategy = '{strategy}' and metric = '{metric}'",
        )
    )


def test_recorded_policy_and_grader_are_used(sampled):
    values = CritiqueOptions(run_id="r").values(sampled)
    assert values["policy"]["type"] == "markov"
    assert values["grader"]["type"] == "exact"
    with pytest.raises(ValueError, match=r"run r has no sampled solutions of the set 'dev'"):
        CritiqueOptions(run_id="r", set_name="dev").values(sampled)


def test_two_critics_of_one_run_are_measured_apart(critiqued):
    oracle, nod = "openai--acme--oracle", "openai--acme--nod"
    assert figures(critiqued, "flags_wrong") == {oracle: 1.0, nod: 0.0}
    assert figures(critiqued, "passes_right") == {oracle: 1.0, nod: 1.0}
    assert figures(critiqued, "num_critiques") == dict.fromkeys((oracle, nod), 24.0)
    counts = (
        "select critic, avg(before::int), avg(after::int), "
        "avg(after::int) filter (not before), avg((not after)::int) filter (before) "
        "from refinements where critic is not null group by 1"
    )
    names = ("accuracy_before", "accuracy_after", "wrong_to_right", "right_to_wrong")
    found = [figures(critiqued, name) for name in names]
    for critic, *values in ask(critiqued, counts):
        assert [each[critic] for each in found] == pytest.approx(values)
    retried = figures(critiqued, "accuracy_after", "retry")
    assert retried[oracle] == retried[nod]  # the same draws


def test_samples_are_counted_as_before(critiqued):
    assert ask(critiqued, "select sum(num_trajectories) from solve_rate") == [(24,)]
    stages = dict(ask(critiqued, "select stage, sum(num_rows) from cost group by 1"))
    assert stages == {"sampling": 24, "critiques": 48, "refinements": 96}


def test_a_second_time_nothing_is_made_again(critiqued, critics):
    from flows.critiques import critique

    def files():
        made = critiqued.root.rglob("stage=*/*.parquet")
        return {path: path.stat().st_mtime_ns for path in made if "runs" not in path.parts}

    before = files()
    critique(job_of(critics, "oracle", critiqued), critiqued.url, "r")
    assert files() == before


def test_second_attempts_are_graded_again(critiqued):
    from flows.regrading import regrade

    job = RegradingJob.from_partial({"grader": {"type": "math"}, "with_refinements": True})
    changes = regrade(job, critiqued.url, "r")
    assert changes.total() == 24 + 96
    assert {change.before is change.after for change in changes} == {True}
    assert ask(critiqued, "select count(*) from verdicts") == [(120,)]
    again = regrade(job.with_fields(with_refinements=False), critiqued.url, "r")
    assert again.total() == 24


def test_the_forecast_counts_what_would_be_critiqued(critiqued, critics):
    (right,) = ask(critiqued, "select count(*) from sampled_solutions where correct")[0]
    for which, expected in (("all", 24), ("right", right), ("wrong", 24 - right)):
        job = job_of(critics, "oracle", critiqued, which=which)
        assert sum(critiqued_files(critiqued, "r", job).values()) == expected


def test_no_wrong_solutions_is_a_message(sampled, critics, capsys, tmp_path):
    from flows.critiques import critique
    from flows.sampling import sample

    store = Store(tmp_path / "store")
    unit = Unit(run_id="r", stage="problems", name="eval", table=PROBLEMS.name)
    store.commit(unit, markov_problems(2, seed=3))
    job = SamplingJob.from_partial(
        {
            "problems": {"type": "world"},
            "policy": {**POLICY, "p_right": 1 - 1e-9},
            "grader": {"type": "exact"},
            "sampling": {"num_samples": 2, "max_tokens": 20},
        }
    )
    sample(job, store.url, "r")
    assert critique(job_of(critics, "oracle", store, which="wrong"), store.url, "r") == []
    assert "the set 'eval' has no finished wrong solutions" in capsys.readouterr().err
    with pytest.raises(ValueError, match=r"run r has no set 'train': expected eval"):
        critique(job_of(critics, "oracle", store, set_name="train"), store.url, "r")


@contextlib.contextmanager
def start(folder, critics):
    """The command in its own process group, which is ended afterwards."""
    from prefect.settings import PREFECT_API_URL

    url = f"http://127.0.0.1:{critics.server_port}/v1"
    engine = {"type": "openai", "model": "acme/oracle", "api": "chat"}
    engine = json.dumps({**engine, "server": {"base_url": url, "kind": "other"}})
    options = ["--from-run", "r", "--root", str(folder), "--retries", "1", "--format", "json"]
    for field in (
        "critic.prompt.type=chat",
        f"critic.engine={engine}",
        "refining.max_tokens=20",
    ):
        options += ["--set", field]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "critique", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()},
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_a_run_that_was_killed_ends_with_the_same_rows(critiqued, critics, tmp_path):
    root = tmp_path / "store"
    shutil.copytree(critiqued.root, root)
    for stage in ("critiques", "refinements", "regrading", "evaluation"):
        for folder in list(root.rglob(f"stage={stage}")):
            shutil.rmtree(folder)

    def made(stage):
        return {p: p.stat().st_mtime_ns for p in root.rglob(f"stage={stage}/*.parquet")}

    with start(root, critics) as victim:
        deadline = time.monotonic() + _PATIENCE_S
        while not made("refinements"):
            assert victim.poll() is None, victim.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(victim.pid, signal.SIGKILL)
        victim.wait()
    kept = {**made("critiques"), **made("refinements")}
    with start(root, critics) as second:
        printed, errors = second.communicate(timeout=_PATIENCE_S)
        assert second.returncode == 0, errors
    found = json.loads(printed)
    assert {row["verifier"] for row in found["figures"]} == {"openai--acme--oracle"}
    after = {**made("critiques"), **made("refinements")}
    assert {path: after[path] for path in kept} == kept
    rows = (
        "select critique_id, trajectory_id, text, fault from critiques "
        "where critic = 'openai--acme--oracle' order by 1"
    )
    assert ask(Store(root), rows) == ask(critiqued, rows)
    attempts = (
        "select trajectory_id, solution_id, after from refinements "
        "where critique_id is not null and critic = 'openai--acme--oracle' order by 1"
    )
    assert ask(Store(root), attempts) == ask(critiqued, attempts)
