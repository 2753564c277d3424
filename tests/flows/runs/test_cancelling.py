"""A run that is told to end is recorded as cancelled, by the store and by Prefect."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from uuid import UUID

import pytest

from storage import connect, query

PROJECT = Path(__file__).resolve().parents[3]
SCRIPT = """
import sys, threading
from prefect import flow
from prefect.runtime import flow_run
from flows.runs.cancelling import cancellable
from flows.runs.recording import recorded_flow
from schemas.loops import RestLoopConfig

CONFIG = RestLoopConfig(policy={"type": "vllm", "model": "world-policy"})

def wait(seconds):
    print("at work", flush=True)
    threading.Event().wait(seconds)

@flow
def inner(root):
    with recorded_flow("sampling", CONFIG, root, "r1", part="train"):
        wait(120)

@flow
def outer(root, run_id):
    with recorded_flow("rest", CONFIG, root, "r1"):
        print(flow_run.id, flush=True)
        inner(root)

with cancellable("r1"):
    outer(sys.argv[1], "r1")
"""


@pytest.fixture
def started(prefect_server, tmp_path):
    """A run of two nested flows that wait, in a process of its own; its flow run's id."""
    from prefect.settings import PREFECT_API_URL

    script = tmp_path / "run.py"
    script.write_text(SCRIPT)
    api = {"PREFECT_API_URL": PREFECT_API_URL.value()}
    environment = {**os.environ, **api, "PYTHONPATH": str(PROJECT)}
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "store")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )  # fmt: skip
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.strip())
        if said[-1] == "at work":
            break
    assert "at work" in said, said
    flow_run_id = next(line for line in said if re.fullmatch("[0-9a-f-]{36}", line))
    try:
        yield process, UUID(flow_run_id), tmp_path / "store"
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("how", ["SIGTERM", "stepmill cancel"])
def test_a_cancelled_run_is_recorded_as_cancelled(started, how):
    from prefect.client.orchestration import get_client

    from flows.runs.cancel_run import cancel_run

    process, flow_run_id, root = started
    with get_client(sync_client=True) as client:
        if how == "stepmill cancel":
            with pytest.raises(ValueError, match="that is running, got r2: r1"):
                cancel_run(str(root), "r2")
            cancel_run(str(root), "r1")
        else:
            process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 130, said
        flow_run = client.read_flow_run(flow_run_id)
    assert flow_run.state_name == "Cancelled"
    assert "the same command with `--run-id r1` resumes it" in said
    assert ("Traceback" in said, "Crash" in said) == (False, False)
    states = query(connect(root), "select flow, part, state from run_state order by flow")
    assert states.fetchall() == [("rest", None, "cancelled"), ("sampling", "train", "cancelled")]
