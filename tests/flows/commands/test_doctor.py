"""`stepmill doctor`, on stores with every problem that it detects."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pyarrow.parquet as pq
import pytest

from flows.commands.checks.findings import Finding, gather
from flows.server import prefect_server as server
from schemas.errors import StepmillError
from schemas.rows import SCHEMA_VERSION, RunEvent, now
from storage import Store, connect, query
from storage.failures import record_failure


def doctor(root, *arguments, **environment):
    command = [sys.executable, "-m", "flows.cli", "doctor", "--root", str(root), *arguments]
    kept = {k: v for k, v in os.environ.items() if k not in ("PREFECT_API_URL", "RAY_ADDRESS")}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**kept, **environment}
    )


def findings(root, *arguments, **environment):
    finished = doctor(root, "--format", "json", *arguments, **environment)
    assert not finished.stderr
    found = json.loads(finished.stdout)
    assert finished.returncode == any(each["state"] == "problem" for each in found)
    return {each["check"]: each for each in found}


@contextlib.contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port held by something that is not a Prefect server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk() -> None:
            with contextlib.suppress(OSError):
                while True:
                    client, _ = listener.accept()
                    if answer is not None:
                        client.sendall(answer)
                    client.close()

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_whole_store_on_this_machine_has_no_problem(store, unit_of, make_problem):
    store.commit(unit_of("problems"), [make_problem()])
    begun = time.monotonic()
    found = findings(store.root)
    assert time.monotonic() - begun < 20  # seconds; an idle machine needs one
    assert {name: each["state"] for name, each in found.items() if each["state"] == "problem"} == {}
    assert found["files"]["found"].startswith("1 files")
    for check in ("python", "packages", "vllm", "memory", "disk", "prefect", "ray", "place"):
        assert found[check]["found"], check


def test_everything_wrong_with_a_store_is_named(store, unit_of, make_problem, make_trajectory):
    store.commit(unit_of("problems", "good"), [make_problem()])
    store.commit(unit_of("problems", "cut"), [make_problem("p1")])
    cut = store.root / unit_of("problems", "cut").path
    cut.write_bytes(cut.read_bytes()[:-20])
    (store.root / "problems" / "mine.csv").write_text("a,b")
    unmarked = unit_of("problems", "unmarked").path
    table = pq.ParquetFile(store.root / unit_of("problems", "good").path).read()
    pq.write_table(table.replace_schema_metadata(None), store.root / unmarked)
    left = store.root / ".staging" / "left.parquet"
    left.write_bytes(b"half")
    two_hours_ago = time.time() - 7200
    os.utime(left, (two_hours_ago, two_hours_ago))
    event = RunEvent(
        flow="sampling",
        state="started",
        config="{}",
        config_hash="h",
        code_version="1",
        message=None,
        happened_at=now(),
    )
    store.commit(unit_of("runs", "started", stage="sampling"), [event])
    record_failure(store, unit_of("trajectories", "bad"), ValueError("no such grader"))
    for name in ("train.00000", "train-copy"):
        store.commit(unit_of("trajectories", name), [make_trajectory("same")])
    found = findings(store.root)
    expected = {
        "unusable files": ("problem", "cut.parquet: "),
        "foreign files": ("warning", "problems/mine.csv"),
        "unmarked files": ("warning", unmarked),
        "misnamed files": (
            "warning",
            "sampling/train-copy.parquet: expected the name of a unit like train.00000",
        ),
        "leftovers": ("warning", ".staging/left.parquet: 4 bytes, 2.0 hours old"),
        "runs without an end": ("warning", "run sampling: started, began"),
        "quarantined units": ("warning", "bad.parquet: ValueError: no such grader (1 times)"),
        "duplicate ids": ("problem", "run same: 2 rows"),
    }
    for check, (state, text) in expected.items():
        assert found[check]["state"] == state, check
        assert text in found[check]["items"][0], check
        assert len(found[check]["items"]) == 1, check
        assert found[check]["advice"], check
    printed = doctor(store.root).stdout
    assert all(text in printed for _, text in expected.values())


def test_what_is_no_store_is_a_finding(tmp_path):
    found = findings(tmp_path / "nowhere")
    assert found["store"]["state"] == "warning"
    assert "is not a store" in found["store"]["found"]
    assert not (tmp_path / "nowhere").exists()


def test_a_newer_store_is_a_problem(store):
    marker = {"schema_version": SCHEMA_VERSION + 1}
    (store.root / "stepmill.json").write_text(json.dumps(marker))
    found = findings(store.root)
    assert found["store"]["state"] == "problem"
    assert "use a newer stepmill" in found["store"]["found"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": "x"}', "\x00\xff"])
def test_a_broken_marker_is_a_problem(store, text):
    (store.root / "stepmill.json").write_text(text)
    assert findings(store.root)["store"]["state"] == "problem"


def test_damage_behind_a_good_footer_is_found_when_asked(store, unit_of, make_trajectory):
    unit = unit_of("trajectories")
    store.commit(unit, [make_trajectory(f"t{i}") for i in range(200)])
    path = store.root / unit.path
    whole = path.read_bytes()
    path.write_bytes(whole[:4] + b"\xff" * 2000 + whole[2004:])
    assert findings(store.root, "--deep")["unusable files"]["state"] == "problem"


def test_settings_that_lead_nowhere_are_problems(store):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    found = findings(store.root, PREFECT_API_URL=url, RAY_ADDRESS=f"127.0.0.1:{port}")
    assert found["prefect"]["state"] == found["ray"]["state"] == "problem"
    assert url in found["prefect"]["found"]
    assert findings(store.root, RAY_ADDRESS="head")["ray"]["state"] == "problem"


def test_a_check_that_fails_is_a_finding_and_the_others_go_on():
    def check_the_moon():
        raise RuntimeError("too far")

    def check_well():
        yield Finding(check="well", found="water")

    moon, well = gather([check_the_moon, check_well])
    assert (moon.check, moon.state) == ("the moon", "warning")
    assert "too far" in moon.found
    assert well.state == "ok"


def test_commands_that_read_name_the_files_they_leave_out(
    stepmill, store, unit_of, make_trajectory
):
    for name in ("whole", "cut"):
        store.commit(unit_of("trajectories", name), [make_trajectory(name)])
    path = unit_of("trajectories", "cut").path
    (store.root / path).write_bytes(b"PAR1")
    for arguments in (
        ("sql", "select trajectory_id from trajectories"),
        ("show", "whole"),
        ("cost",),
    ):
        finished = stepmill(*arguments, "--root", store.root)
        assert finished.returncode == 0
        assert f"left out: {path}: too short" in finished.stderr


@pytest.mark.slow
def test_after_a_repair_a_rerun_makes_the_unit_again(store, unit_of, prefect_server):
    from flows.sampling import sample
    from schemas.engines import MarkovConfig
    from schemas.problems import WorldProblemsConfig
    from schemas.sampling import SamplingConfig, SamplingJob
    from tasks.engines.markov_engine import markov_problems

    store.commit(unit_of("problems", "eval", stage="problems"), markov_problems(20, seed=3))
    job = SamplingJob(
        problems=WorldProblemsConfig(),
        policy=MarkovConfig(num_steps=4, p_right=0.8),
        sampling=SamplingConfig(num_samples=4, max_tokens=10, trajectories_per_unit=20),
    )

    def texts():
        sql = "select trajectory_id, steps from trajectories order by 1"
        return query(connect(store.root), sql).fetchall()

    sample(job, store.url, "run")
    before = texts()
    damaged = sorted(store.root.glob("trajectories/*/*/*.parquet"))[1]
    damaged.write_bytes(damaged.read_bytes()[:-9])
    assert len(texts()) == 60
    with pytest.raises(StepmillError, match=rf"{damaged.name}.*doctor --repair"):
        sample(job, store.url, "run")
    found = findings(store.root, "--repair")
    assert found["repair"]["items"][0].endswith(damaged.name)
    assert found["unusable files"]["state"] == "ok"
    sample(job, store.url, "run")
    assert texts() == before
    assert len(before) == 80


@pytest.mark.parametrize("answer", [b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 404 No\r\n\r\n", None])
def test_a_port_held_by_something_else_is_named(answer, monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    with listening(answer) as port, pytest.raises(StepmillError, match=f"port {port} is taken by"):
        server.find_server(port)


def test_ports_that_are_all_held_are_named(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(server, "_NUM_PORTS", 1)
    with listening(b"SSH-2.0-OpenSSH\r\n") as port:
        monkeypatch.setattr(server, "_FIRST_PORT", port)
        assert server.look_at_ports() == {port: "something else"}
        with pytest.raises(StepmillError, match=f"ports {port} to {port} are all taken: set"):
            server.ensure_server()


def test_a_repair_in_an_object_store_is_left_to_people(store):
    from storage.inspection import quarantine
    from storage.roots import open_root

    far = Store(store.root)
    far.files_root = open_root("s3://bucket/store")
    with pytest.raises(ValueError, match="copy the file elsewhere and delete it"):
        quarantine(far, ["problems/x.parquet"])
