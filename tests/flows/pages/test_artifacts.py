"""What a run shows in Prefect's UI, on a real server, and that a server cannot stop or slow it."""

import base64
import json
import re
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, cast

import pytest

from schemas.rows import METRICS, Metric
from schemas.units import Receipt
from storage import connect, query


def in_flow(work: Callable[[], Any], **given: Any) -> tuple[Any, Any]:
    """Run the work in its own flow run; the flow run's id, and the work's return value."""
    from prefect import flow
    from prefect.runtime import flow_run

    @flow(name="shown")
    def shown(root: str = "", run_id: str | None = None):
        return flow_run.id, work()

    return cast(Any, shown)(**given)


def artifacts_of(flow_run_id) -> dict[Any, Any]:
    """The artifacts of a flow run by key."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId

    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[flow_run_id]))
    found = get_client(sync_client=True).read_artifacts(artifact_filter=only)
    by_key = {artifact.key: artifact for artifact in found}
    assert len(by_key) == len(found)
    return by_key


def wait_for(condition, *, within_s=30.0) -> Any:
    deadline = time.monotonic() + within_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Send often, and wait for the server of a busy machine as long as it takes."""
    monkeypatch.setattr("flows.pages.artifacts._EVERY_S", 0.05)
    monkeypatch.setattr("flows.pages.artifacts._TIMEOUT_S", 60.0)
    monkeypatch.setattr("flows.pages.artifacts._REQUEST_S", 60.0)
    monkeypatch.setattr("flows.runs.progress._EVERY_S", 0.05)


@pytest.fixture
def receipt_of():
    def make(unit, **fields):
        return Receipt(**{"path": unit.path, "num_rows": 10, "seconds": 2.0, **fields})

    return make


def test_a_progress_artifact_moves_while_the_stage_runs(prefect_server):
    from prefect.runtime import flow_run

    from flows.runs.progress import stage_progress

    figures = (0, 200, 0)

    def shown_at(percent):
        artifact = artifacts_of(flow_run.id).get("progress-sample-eval")
        return artifact if artifact is not None and artifact.data == percent else None

    def work():
        nonlocal figures
        with stage_progress("sample eval", lambda: figures):
            figures = (50, 200, 500)
            early = wait_for(lambda: shown_at(25.0))
            figures = (120, 200, 1200)
            return early, wait_for(lambda: shown_at(60.0))

    flow_run_id, (early, later) = in_flow(work)
    first_line, _, second_line = early.description.split("\n")
    assert re.fullmatch(r"50 of 200 rows, \d+:\d\d left", first_line)
    expected = r"50 rows in 0:\d\d of this run, 500 tokens, [\d,]+ tokens/s"
    assert re.fullmatch(expected, second_line)
    assert later.id == early.id
    last = artifacts_of(flow_run_id)["progress-sample-eval"]
    assert last.data == 100.0
    assert re.match(r"120 of 200 rows, done in 0:\d\d\n\n120 rows in 0:", last.description)


def test_a_stage_that_fails_keeps_how_far_it_was(prefect_server):
    from flows.runs.progress import stage_progress

    def work():
        with pytest.raises(OSError, match="disk"), stage_progress("s", lambda: (3, 4, 0)):
            raise OSError("disk")

    flow_run_id, _ = in_flow(work)
    progress = artifacts_of(flow_run_id)["progress-s"]
    assert progress.data == 75.0
    assert progress.description.startswith("3 of 4 rows, stopped in 0:0")


def test_a_subflow_in_a_side_thread_has_its_own_progress(prefect_server):
    from flows.runs.progress import stage_progress

    def train():
        with stage_progress("train", lambda: (1, 1, 0), unit="steps"):
            return None

    def work():
        with ThreadPoolExecutor(1) as side:
            return side.submit(copy_context().run, in_flow, train).result()

    outer, (inner, _) = in_flow(work)
    assert artifacts_of(outer) == {}
    assert artifacts_of(inner)["progress-train"].data == 100.0


def test_units_show_failures_first_then_the_slowest(prefect_server, store, unit_of, receipt_of):
    from flows.pages.units import publish_units

    quick_one, slow, broken = (unit_of("trajectories", f"eval.{i}") for i in range(3))
    outcomes = {
        quick_one: receipt_of(quick_one, generated_tokens=30, scored_tokens=10, num_errors=2),
        slow: receipt_of(slow, seconds=8.0, was_there=True),
        broken: ValueError("row 7:\nno answer " + "x" * 200),
    }
    flow_run_id, _ = in_flow(
        lambda: publish_units("sample eval", store, outcomes), root=store.url, run_id="run"
    )
    table = artifacts_of(flow_run_id)["units-sample-eval"]
    first, second, third = json.loads(table.data)
    assert (first["unit"], first["state"], first["rows"]) == ("eval.2", "failed", "")
    assert first["errors"].startswith("ValueError: row 7: no answer xx")
    assert len(first["errors"]) < 120
    assert (second["unit"], second["state"]) == ("eval.1", "done before")
    assert third == {
        "unit": "eval.0",
        "state": "done",
        "rows": "10",
        "tokens": "40",
        "seconds": "2.0",
        "tokens/s": "20",
        "errors": "2 rows",
    }
    assert table.description.startswith("3 units, 1 failed\n\nRun `run`")
    assert f"{store.url}/trajectories/run_id=run/stage=sampling/" in table.description
    command = f"stepmill view --root {store.url} 'run?run=run'"
    assert table.description.endswith(f"\n\nMore: `{command}`")


def test_a_long_table_of_units_is_cut_and_says_so(prefect_server, store, unit_of, receipt_of):
    from flows.pages.units import publish_units

    units = [unit_of("trajectories", f"u{i}") for i in range(450)]
    outcomes = {unit: receipt_of(unit) for unit in units}
    flow_run_id, _ = in_flow(lambda: publish_units("sample", store, outcomes))
    table = artifacts_of(flow_run_id)["units-sample"]
    assert len(json.loads(table.data)) == 200
    assert table.description.startswith("450 units, 0 failed; shown are 200")


def test_results_show_a_table_the_plot_and_sql_that_runs(prefect_server, store, unit_of):
    from flows.pages.results import publish_accuracies

    metrics = [
        Metric(
            policy="pol",
            verifier=None,
            strategy=strategy,
            budget=budget,
            bin="all",
            metric="accuracy",
            value=value,
            ci_low=None if budget == 1 else value - 0.1,
            ci_high=None if budget == 1 else value + 0.1,
            num_problems=30,
            set_name="eval",
        )
        for strategy, values in (("majority", (0.5, 0.625)), ("pass", (0.5, 0.875)))
        for budget, value in zip((1, 4), values, strict=True)
    ]
    store.commit(unit_of(METRICS.name, "eval", stage="evaluation"), metrics)
    flow_run_id, _ = in_flow(lambda: publish_accuracies(store, "run", metrics, set_name="eval"))
    found = artifacts_of(flow_run_id)
    assert set(found) == {"accuracy-eval", "report-eval"}
    assert json.loads(found["accuracy-eval"].data) == [
        {"strategy": "majority", "N = 1": "0.500", "N = 4": "0.625 (.53-.72)"},
        {"strategy": "pass (any right)", "N = 1": "0.500", "N = 4": "0.875 (.78-.97)"},
    ]
    page = found["report-eval"]
    best = "majority at N = 4: 0.625 (.53-.72), 30 problems."
    assert page.description.startswith(f"{best}\n\nRun `run`")
    assert "| majority | 0.500 | 0.625 (.53-.72) |" in page.data
    (picture,) = re.findall(r"data:image/png;base64,([\w+/=]+)\)", page.data)
    assert base64.b64decode(picture).startswith(b"\x89PNG")
    curves, solutions = re.findall(r'stepmill sql --root \S+ "([^"]+)"', page.data)
    assert len(query(connect(store.url), curves).fetchall()) == 4
    assert query(connect(store.url), solutions).fetchall() == []


def test_outside_a_run_nothing_is_sent(store, unit_of, receipt_of, capsys):
    from flows.pages.artifacts import publish_markdown
    from flows.pages.units import publish_units
    from flows.runs.progress import stage_progress

    unit = unit_of("trajectories")
    with no_server(), stage_progress("alone", lambda: (1, 1, 0)):
        publish_markdown("page", "text", "words")
        publish_units("alone", store, {unit: receipt_of(unit)})
    assert capsys.readouterr().err == "alone: 1 of 1 rows, 0 s, done\n"


def test_a_server_that_is_gone_costs_one_line(prefect_server, capsys):
    from flows.pages.artifacts import publish_markdown, publish_table
    from flows.runs.progress import stage_progress

    def work():
        with no_server():
            publish_table("table", [{"a": 1}], "words")
            with stage_progress("going on", lambda: (1, 1, 0)):
                publish_markdown("page", "text", "words")
        return "finished"

    _, outcome = in_flow(work)
    assert outcome == "finished"
    told = [line for line in capsys.readouterr().err.splitlines() if "artifacts" in line]
    assert len(told) == 1
    assert told[0].startswith("the Prefect server does not accept artifacts (ConnectError:")


def test_a_server_that_never_answers_is_not_waited_for(prefect_server, monkeypatch):
    from flows.pages.artifacts import publish_markdown
    from flows.runs.progress import stage_progress

    monkeypatch.setattr("flows.pages.artifacts._TIMEOUT_S", 0.2)

    def work():
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()  # the kernel accepts; nothing reads
            with server_at(silent.getsockname()[1]):
                start = time.monotonic()
                publish_markdown("page", "text", "words")
                with stage_progress("going on", lambda: (1, 1, 0)):
                    pass
                return time.monotonic() - start

    _, seconds = in_flow(work)
    assert seconds < 3.0


def no_server():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return server_at(port)


def server_at(port):
    from prefect.settings import PREFECT_API_URL, temporary_settings

    return temporary_settings({PREFECT_API_URL: f"http://127.0.0.1:{port}/api"})


def test_a_key_is_lowercase_letters_digits_and_dashes():
    from flows.pages.artifacts import to_key

    assert to_key("progress", "Roll out eval_2.b") == "progress-roll-out-eval-2-b"
