"""Two simultaneous runs on one store, each in its own process."""

import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from schemas.rows import PROBLEMS
from schemas.units import Unit
from storage import connect, query
from tasks.engines.markov_engine import markov_problems

pytestmark = pytest.mark.slow
PATIENCE_S = 300
LINE = """
import sys

from flows.evaluation import evaluate
from flows.sampling import sample
from flows.step_labels import label_steps
from schemas.evaluation import EvaluationJob
from schemas.sampling import SamplingJob
from schemas.step_labels import StepLabelsJob

root, run_id = sys.argv[1:]
shared = {"policy": {"type": "markov"}}
asked = {"num_samples": 6, "max_tokens": 10, "trajectories_per_unit": 30}
sampling = {"problems": {"type": "world"}, "set_name": "train", "sampling": asked, **shared}
labels = {"num_rollouts": 4, "max_rollout_tokens": 10}
labelling = {"labels": labels, "trajectories_per_unit": 15, **shared}
evaluation = {"policy": shared["policy"], "set_name": "train", "evaluation": {"budgets": [1, 4]}}
print("ready", flush=True)
sys.stdin.readline()
sample(SamplingJob.from_partial(sampling), root, run_id)
label_steps(StepLabelsJob.from_partial(labelling), root, run_id)
evaluate(EvaluationJob.from_partial(evaluation), root, run_id)
"""
SERVER = """
import sys

from flows.server.prefect_server import serving

print("ready", flush=True)
sys.stdin.readline()
with serving(int(sys.argv[1])) as (url, process):
    print("found" if process is None else "started", url, flush=True)
    sys.stdin.readline()
"""


def start_together(*commands, environment) -> list[Any]:
    """Processes that have imported everything and start at the same moment."""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", *map(str, command)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        for command in commands
    ]
    for process in processes:
        assert read_line(process) == "ready\n", process.communicate()[1]
    for process in processes:
        go_on(process)
    return processes


def read_line(process):
    assert process.stdout is not None
    return process.stdout.readline()


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("run_ids", [("one", "two"), ("same", "same")])
def test_two_runs_at_once_make_every_row_once(store, prefect_server, run_ids):
    from prefect.settings import PREFECT_API_URL

    for run_id in set(run_ids):
        unit = Unit(run_id=run_id, stage="problems", name="train", table=PROBLEMS.name)
        store.commit(unit, markov_problems(40, seed=3))
    processes = start_together(
        *((LINE, store.url, run_id) for run_id in run_ids),
        environment={"PREFECT_API_URL": PREFECT_API_URL.value()},
    )
    said = [process.communicate(timeout=PATIENCE_S)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said

    def ask(sql):
        return query(connect(store.url), sql).fetchall()

    per_run = len(set(run_ids))
    samples = """
        select run_id, count(*), count(distinct trajectory_id), count(distinct problem_id)
        from trajectories where strategy = 'sample' group by all order by all
    """
    assert ask(samples) == [(run_id, 240, 240, 40) for run_id in sorted(set(run_ids))]
    per_problem = """
        select distinct count(*) from trajectories
        where strategy = 'sample' group by run_id, problem_id
    """
    assert ask(per_problem) == [(6,)]
    labels = "count(*), count(distinct (run_id, trajectory_id, step_index))"
    steps = "select sum(len(steps)) from trajectories where strategy = 'sample'"
    ((num_steps,),) = ask(steps)
    assert ask(f"select {labels} from step_labels") == [(num_steps, num_steps)]
    rollouts = "count(*) - count(distinct (run_id, trajectory_id))"
    assert ask(f"select {rollouts} from trajectories where strategy = 'rollout'") == [(0,)]
    assert ask("select distinct state from run_state") == [("completed",)]
    states = ask("select run_id, count(*) from run_state group by all order by all")
    assert states == [(run_id, 4) for run_id in sorted(set(run_ids))]
    assert (
        len(
            ask(
                "select run_id from curves where strategy = 'pass' and bin = 'all' "
                "and metric = 'accuracy' and budget = 4"
            )
        )
        == per_run
    )


def test_two_that_need_a_server_at_once_share_one(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {"PREFECT_HOME": str(tmp_path), "PREFECT_API_URL": ""}
    processes = start_together((SERVER, port), (SERVER, port), environment=environment)
    found = [read_line(process).split() for process in processes]
    for process in processes:
        go_on(process)
        process.communicate(timeout=PATIENCE_S)
    url = f"http://127.0.0.1:{port}"
    assert sorted(found) == [["found", url], ["started", url]]
    assert [process.returncode for process in processes] == [0, 0]
