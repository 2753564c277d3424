"""Test-time search from the command line: a sweep that is killed and resumed, and bad jobs."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest
import yaml

from flows.commands.search import SearchOptions, known_verifier, search_and_show
from schemas.rows import MODELS, Model
from schemas.search import SearchJob
from storage import connect, query
from storage.runs import recorded_run
from tasks.engines.markov_engine import markov_problems

NUM_PROBLEMS = 8
STRATEGIES = ("best_of_n", "beam", "dvts")
JOB = {
    "policy": {"type": "markov", "p_right": 0.6},
    "verifier": {"type": "markov", "p_right": 0.6, "verifier_noise": 0.3},
    "grader": {"type": "exact"},
    "candidates_per_unit": 8,
    "evaluation": {"num_bootstrap": 50},
}
NUM_UNITS = len(STRATEGIES) * (NUM_PROBLEMS // 2 + NUM_PROBLEMS)  # at N = 4 and at N = 8
_PATIENCE_S = 300


@contextlib.contextmanager
def start(folder):
    """The sweep in its own process group, which is ended afterwards."""
    from prefect.settings import PREFECT_API_URL

    options = ["--config", "job.yaml", "--root", "store", "--run-id", "r", "--n", "4,8"]
    options += [word for name in STRATEGIES for word in ("--strategy", name)]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "search", *options, "--format", "json"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PREFECT_API_URL": PREFECT_API_URL.value(),
            "PYTHONPATH": os.getcwd(),  # noqa: PTH109
        },
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def trees_in(folder):
    found = (folder / "store/trajectories").glob("run_id=r/stage=search/*.parquet")
    return {path: path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def swept(tmp_path_factory, prefect_server):
    """The folder of a sweep that was killed when its first trees existed, and what it printed."""
    folder = tmp_path_factory.mktemp("search")
    walks = [{"question": p.question, "answer": p.answer} for p in markov_problems(NUM_PROBLEMS, 3)]
    (folder / "walks.jsonl").write_text("\n".join(map(json.dumps, walks)))
    problems = {"type": "file", "path": str(folder / "walks.jsonl")}
    (folder / "job.yaml").write_text(yaml.safe_dump({**JOB, "problems": problems}))
    with start(folder) as victim:
        deadline = time.monotonic() + _PATIENCE_S
        while not trees_in(folder):
            assert victim.poll() is None, victim.communicate()[1]
            assert time.monotonic() < deadline, "no trees"
            time.sleep(0.02)
    before = trees_in(folder)
    with start(folder) as second:
        printed, complaints = second.communicate(timeout=_PATIENCE_S)
        assert second.returncode == 0, complaints
    return folder, before, json.loads(printed)


def ask(folder, sql):
    return query(connect(folder / "store"), sql).fetchall()


@pytest.mark.slow
def test_a_rerun_does_what_a_kill_left_and_each_search_is_there_once(swept):
    folder, before, _ = swept
    after = trees_in(folder)
    assert 0 < len(before) < len(after) == NUM_UNITS
    assert {path: after[path] for path in before} == before
    assert ask(folder, "select * from duplicate_ids") == []
    per_search = (
        "select strategy, budget, count(*), count(distinct problem_id) from decisions "
        "where is_main group by all"
    )
    expected = [(s, n, NUM_PROBLEMS, NUM_PROBLEMS) for s in STRATEGIES for n in (4, 8)]
    assert sorted(ask(folder, per_search)) == sorted(expected)
    spent = "select max(num_candidates), min(num_candidates) from decisions where strategy = 'beam'"
    assert ask(folder, f"{spent} and budget = 8") == [(8, 8)]
    state = "select distinct state from run_state where flow = 'search'"
    assert ask(folder, state) == [("completed",)]


@pytest.mark.slow
def test_what_is_printed_is_what_the_store_holds(swept):
    folder, _, printed = swept
    accuracies = [
        (row["strategy"], row["budget"], row["value"])
        for row in printed
        if row["metric"] == "accuracy" and row["bin"] == "all" and row["pick"] is None
    ]
    assert len(accuracies) == 2 * len(STRATEGIES)
    stored = "select strategy, budget, accuracy from search_accuracy where is_main"
    assert sorted(accuracies) == sorted(ask(folder, stored))
    chosen_by = {row["pick"] for row in printed if row["strategy"] == "compute_optimal"}
    assert "oracle_quintile" in chosen_by
    assert all(row["value"] > 0 for row in printed if row["metric"] == "engine_s")
    (picture,) = (folder / "store/reports/r").glob("search-*.png")
    assert picture.stat().st_size > 10_000


@pytest.mark.slow
def test_a_run_with_searches_only_can_be_reported_and_its_trees_shown(swept, capsys):
    from flows.commands.report import show_report
    from flows.tables.search_tree import show_tree

    folder, _, _ = swept
    connection = connect(folder / "store")
    show_report(connection, "r", "table")
    text = capsys.readouterr().out
    assert "Searches, 8 problems" in text
    assert "Compute-optimal selection" in text
    show_report(connection, "r", "table", by="oracle_quintile", budget=8)
    assert "dvts" in capsys.readouterr().out
    ((problem, question),) = ask(folder, "select problem_id, question from problem_list limit 1")
    show_tree(connection, problem, "text", strategy="dvts", budget=8)
    text = capsys.readouterr().out
    assert question in text
    assert "dvts, N = 8" in text


ROUNDS = "strategies=[{type: critique, rounds: 2}]"
MARKOV = ("policy={type: markov}", "verifier={type: markov}", "grader={type: exact}")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"strategies": ["beam"], "budgets": "16", "width": 3}, "a multiple of the width 3.* N=16"),
        ({"strategies": ["dvts"], "budgets": "4", "width": 8}, "a width of at most N=4, got 8"),
        ({"strategies": ["bean"]}, "strategies.*'bean'"),
        ({"strategies": ["mcts"], "budgets": "many"}, "--n: expected a number, .* got 'many'"),
        ({"strategies": ["majority"], "width": 4}, "width"),
        ({"strategies": ["beam"], "is_sweep": True}, "--sweep or --strategy, got both"),
        ({"with_ratios": True, "is_sweep": True}, "--ratios or --sweep, got both"),
        (
            {"with_ratios": True, "strategies": ["beam"]},
            r"--ratios: expected a strategy with chains \(revisions, critique\), got beam",
        ),
        ({"budgets": "3", "changes": (*MARKOV, ROUNDS)}, "multiple of the 2 rounds"),
        ({"with_ratios": True, "budgets": "4,16"}, "one --n"),
        ({"width": 8, "changes": ["strategies=[{type: dvts}]"]}, "--width or --set strategies"),
        ({"output": "xml"}, "expected --format table or json, got 'xml'"),
    ],
)
def test_a_job_that_cannot_be_is_named_before_anything_starts(tmp_path, options, message):
    values = {"output": "table", "changes": MARKOV, **options}
    with pytest.raises(ValueError, match=message):
        search_and_show(
            values.pop("output"),
            SearchOptions(**values),
            root=str(tmp_path / "store"),
            run_id=None,
        )
    assert not (tmp_path / "store").exists()


def test_ratios_are_of_revisions_or_of_the_strategies_named():
    given = SearchOptions(with_ratios=True, budgets="4").values()["strategies"]
    assert [(each["type"], each["sequential"]) for each in given] == [
        ("revisions", 1), ("revisions", 2), ("revisions", 4),
    ]  # fmt: skip
    named = SearchOptions(with_ratios=True, budgets="4", strategies=["critique"]).values()
    assert [(each["type"], each["rounds"]) for each in named["strategies"]] == [
        ("critique", 1), ("critique", 2), ("critique", 4),
    ]  # fmt: skip


def test_without_a_verifier_it_is_said_where_to_get_one(tmp_path):
    options = SearchOptions(strategies=["beam"])
    with pytest.raises(
        ValueError, match=r"stepmill run factory .*--verifier.*score\.by=likelihood"
    ):
        search_and_show("table", options, root=str(tmp_path / "store"), run_id=None)


def test_a_store_without_a_verifier_knows_none(tmp_path, store):
    assert known_verifier(store.url, "r") is None
    assert known_verifier(str(tmp_path / "none"), None) is None
    assert not (tmp_path / "none").exists()


def test_the_newest_verifier_of_the_store_is_taken(store, unit_of):
    def model(name, day, role):
        return Model(
            model_id=name,
            role=role,
            path=f"checkpoints/{name}",
            base=None,
            training_set=None,
            metrics="{}",
            created_at=datetime(2026, 1, day, tzinfo=UTC),
        )

    store.commit(unit_of(MODELS.name, name="a"), [model("new", 3, "verifier")])
    store.commit(unit_of(MODELS.name, name="b"), [model("old", 2, "verifier")])
    store.commit(unit_of(MODELS.name, name="c"), [model("other", 4, "policy")])
    newest = {"type": "vllm", "model": f"{store.url}/checkpoints/new"}
    assert known_verifier(store.url, None) == known_verifier(store.url, "r") == newest


def test_a_search_goes_on_with_the_verifier_it_began_with(store, unit_of):
    model = Model(
        model_id="new",
        role="verifier",
        path="checkpoints/new",
        base=None,
        training_set=None,
        metrics="{}",
        created_at=datetime(2026, 1, 3, tzinfo=UTC),
    )
    store.commit(unit_of(MODELS.name), [model])
    values = {"problems": {"type": "world"}, "policy": {"type": "markov"}}
    first = SearchJob.from_partial({**values, "verifier": {"type": "vllm", "model": "first"}})
    votes = SearchJob.from_partial({**values, "strategies": [{"type": "majority"}]})
    for part, job in (("a", first), ("b", votes)):
        with recorded_run(store, "r", "search", job, part=part):
            pass
    found = known_verifier(store.url, "r")
    assert SearchJob.from_partial({**values, "verifier": found}) == first
    assert known_verifier(store.url, "other") != found


@pytest.mark.parametrize(
    ("options", "widths"),
    [
        ({}, [("dvts", 2), ("rebase", None)]),
        ({"width": 8}, [("dvts", 8), ("rebase", None)]),
        ({"width": 8, "strategies": ["beam"]}, [("beam", 8)]),
    ],
)
def test_a_width_is_for_the_strategies_of_the_file(tmp_path, prefect_server, options, widths):
    config = tmp_path / "job.yaml"
    asked = [{"type": "dvts", "width": 2}, {"type": "rebase"}]
    problem = markov_problems(1, seed=3)[0]
    lines = tmp_path / "problems.jsonl"
    lines.write_text(json.dumps({"question": problem.question, "answer": problem.answer}))
    job = {**JOB, "problems": {"type": "file", "path": str(lines)}, "strategies": asked}
    config.write_text(yaml.safe_dump(job))
    root = tmp_path / "store"
    search_and_show(
        "json",
        SearchOptions(config_file=config, budgets="8", **options),
        root=str(root),
        run_id="r",
    )
    (held,) = query(
        connect(root), "select distinct config from runs where flow = 'search'"
    ).fetchall()
    assert [(s["type"], s.get("width")) for s in json.loads(held[0])["strategies"]] == widths
