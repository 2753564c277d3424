"""A run whose root is on S3, from the command line, while the connection to S3 misbehaves."""

import json
import os
import signal
import subprocess
import sys
import time

import boto3
import pytest
import yaml

from schemas.rows import PROBLEMS
from schemas.units import Unit
from storage import connect, query
from tasks.engines.markov_engine import markov_problems

pytestmark = [pytest.mark.ray, pytest.mark.slow]
PATIENCE_S = 120
NUM_PROBLEMS, NUM_SAMPLES, NUM_UNITS = 60, 8, 12
JOB = {
    "problems": {"type": "world"},
    "policy": {"type": "markov"},
    "sampling": {"num_samples": NUM_SAMPLES, "max_tokens": 10, "trajectories_per_unit": 40},
    "pool": {"num_actors": 2},
}
FAULTS = ("500", "slow down", "cut", "cut after", "half", "slow")
GAP = 7
"""One in this many requests gets the next of the faults."""


@pytest.fixture
def stepmill(s3_store, prefect_server):
    """Start a `stepmill` command on this store; commands still running at the end are stopped."""
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    assert url is not None
    processes = []

    def begin(*arguments):
        command = [sys.executable, "-m", "flows.cli", *arguments, "--root", s3_store.url]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PREFECT_API_URL": url},
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


@pytest.fixture
def sample(stepmill, s3_store, tmp_path):
    """Start the sampling flow on a set of problems of the Markov world."""
    unit = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    s3_store.commit(unit, markov_problems(NUM_PROBLEMS, seed=3))
    config = tmp_path / "sampling.yaml"
    config.write_text(yaml.safe_dump(JOB))
    return lambda: stepmill("run", "sampling", "--run-id", "run", "--config", str(config))


def finish(process):
    said, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, errors[-4000:]
    return said


def trajectory_objects():
    """The tag and the time of writing of every unit's object."""
    objects = (
        boto3.client("s3")
        .list_objects_v2(Bucket="bucket", Prefix="team/store/trajectories/")
        .get("Contents", [])
    )
    return {each["Key"]: (each["ETag"], each["LastModified"]) for each in objects}


def puts_of_trajectories(s3_proxy):
    return [path for method, path in s3_proxy.seen if method == "PUT" and "/trajectories/" in path]


def test_a_run_on_s3_is_killed_and_gone_on_with_through_faults(
    s3_proxy, s3_store, sample, stepmill
):
    num_requests = 0

    def sometimes(method, path):
        nonlocal num_requests
        num_requests += 1
        if num_requests % GAP:
            return None
        return FAULTS[num_requests // GAP % len(FAULTS)]

    def let_five_in(method, path):
        """After five files S3 accepts no more, so that the run is unfinished when it is killed."""
        is_put = method == "PUT" and "/trajectories/" in path
        return "500" if is_put and len(puts_of_trajectories(s3_proxy)) > 5 else None

    s3_proxy.choose_fault = let_five_in
    killed = sample()
    deadline = time.monotonic() + PATIENCE_S
    while len(trajectory_objects()) < 5:
        assert killed.poll() is None, killed.communicate()[1][-4000:]
        assert time.monotonic() < deadline, "no five units were committed in time"
        time.sleep(0.1)
    os.kill(killed.pid, signal.SIGKILL)
    killed.communicate()
    before = trajectory_objects()
    assert len(before) == 5

    s3_proxy.choose_fault = sometimes
    finish(sample())
    assert num_requests > GAP * len(FAULTS)
    after = trajectory_objects()
    assert len(after) == NUM_UNITS
    assert {key: after[key] for key in before} == before
    counts = "count(*), count(distinct trajectory_id), count(distinct (problem_id, sample_index))"
    total = NUM_PROBLEMS * NUM_SAMPLES
    found = query(connect(s3_store.url), f"select {counts} from trajectories").fetchall()
    assert found == [(total, total, total)]
    asked = stepmill("sql", "select state from run_state where flow = 'sampling'", "--format=json")
    assert json.loads(finish(asked)) == [{"state": "completed"}]

    s3_proxy.choose_fault = s3_proxy.use_up_fault
    s3_proxy.seen.clear()
    finish(sample())
    assert puts_of_trajectories(s3_proxy) == []
    assert trajectory_objects() == after
