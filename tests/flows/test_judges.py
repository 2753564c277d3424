"""A judge behind an API grades stored solutions: killed in the middle, and run again."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.regrading import RegradingJob
from schemas.rows import Step
from schemas.unit_names import SolutionsGroup, SolutionsName
from schemas.units import derive_id
from storage import connect, query

pytestmark = pytest.mark.slow
NUM_UNITS, NUM_SOLUTIONS = 3, 4
_PATIENCE_S = 300
_SOLUTION = re.compile(r"solution (\d)-(\d)")


class JudgeServer(ThreadingHTTPServer):
    """Calls solutions of even numbers right; answers for the last of the units only when it may."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[tuple[int, int]] = []
        """Unit and number of each solution that it was asked about."""
        self.is_reached = threading.Event()
        self.may_answer = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        verdict = "none"
        if found := _SOLUTION.search(body["messages"][-1]["content"]):
            unit, number = map(int, found.groups())
            self.server.asked.append((unit, number))
            verdict = "wrong" if number % 2 else "right"
            if len({unit for unit, _ in self.server.asked}) == NUM_UNITS:
                self.server.is_reached.set()
                self.server.may_answer.wait(_PATIENCE_S)
        message = {"role": "assistant", "content": f"Verdict: {verdict}"}
        with contextlib.suppress(ConnectionError):  # whoever asked may have been killed
            self._reply(
                {
                    "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                    "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
                }
            )

    def do_GET(self) -> None:
        self._reply({"object": "list", "data": [{"id": "acme/judge", "object": "model"}]})

    def _reply(self, reply: dict[str, object]) -> None:
        text = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def server():
    with JudgeServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.may_answer.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def solved(store, unit_of, make_problem, make_trajectory):
    """A store with three units of four solutions, all of them right by the exact grader."""
    store.commit(unit_of("problems", name="eval", stage="problems"), [make_problem()])
    for unit in range(NUM_UNITS):
        rows = [
            make_trajectory(
                f"{unit}-{i}",
                steps=(Step(text=f"solution {unit}-{i}\nAnswer: 4", num_tokens=9),),
                correct=True,
            )
            for i in range(NUM_SOLUTIONS)
        ]
        name = str(SolutionsName(SolutionsGroup("eval"), unit))
        store.commit(unit_of("trajectories", name=name), rows)
    return store


def judgements_in(store):
    """From the number of each judged unit to its file and when it was written."""
    found = (store.root / "judgements").glob("run_id=run/stage=regrading/eval.*.parquet")
    return {int(path.stem[5:10]): (path, path.stat().st_mtime_ns) for path in found}


def test_a_judge_that_was_killed_ends_with_the_same_rows(solved, server, prefect_server):
    from prefect.settings import PREFECT_API_URL

    from flows.regrading import regrade

    grader = {
        "type": "judge",
        "engine": {
            "type": "openai",
            "model": "acme/judge",
            "api": "chat",
            "server": {"base_url": f"http://127.0.0.1:{server.server_port}/v1"},
        },
        "layout": {"type": "rubric"},
        "pool": {"units_in_flight": 1},
    }
    options = ["--run-id", "run", "--root", solved.url, "--grader", "judge"]
    options += ["--set", f"grader={json.dumps(grader)}"]
    victim = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "regrade", *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()},
        start_new_session=True,
    )
    is_reached = server.is_reached.wait(_PATIENCE_S)
    os.killpg(victim.pid, signal.SIGKILL)
    _, complaints = victim.communicate()
    assert is_reached, complaints
    before = judgements_in(solved)
    last = server.asked[-1][0]
    assert set(before) == set(range(NUM_UNITS)) - {last}
    server.may_answer.set()
    server.asked.clear()

    job = RegradingJob.from_partial({"grader": grader})
    changes = regrade(job, solved.url, "run")
    after = judgements_in(solved)
    assert {unit: after[unit] for unit in before} == before
    assert sorted(server.asked) == [(last, i) for i in range(NUM_SOLUTIONS)]
    assert sum(n for change, n in changes.items() if change.after) == NUM_UNITS * 2
    expected = {
        (f"{unit}-{i}", i % 2 == 0) for unit in range(NUM_UNITS) for i in range(NUM_SOLUTIONS)
    }
    connection = connect(solved.root)
    for table, column in (("judgements", "verdict"), ("verdicts", "correct")):
        rows = query(connection, f"select trajectory_id, {column} from {table}").fetchall()
        assert len(rows) == len(expected)
        assert set(rows) == expected
    ids = {row[0] for row in query(connection, "select judgement_id from judgements").fetchall()}
    assert ids == {
        derive_id(f"run/regrading/{path.stem}", f"{unit}-{i}", 0)
        for unit, (path, _) in after.items()
        for i in range(NUM_SOLUTIONS)
    }
    figures = query(
        connection,
        "select metric, value from metrics where strategy = 'grading' and bin = 'all'",
    ).fetchall()
    found = dict(figures)
    assert (found["num_graded"], found["agreement"]) == (12, 0.5)
    assert found["false_negative_rate"] == 0.5
