"""The command line, as a user types it."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.rows import StepLabel, StepScores


def in_a_process(*arguments, root):
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments), "--root", str(root)]
    return subprocess.run(command, capture_output=True, check=False)


@pytest.fixture
def filled(store, unit_of, make_problem, make_trajectory):
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0")])
    store.commit(unit_of("trajectories"), [make_trajectory("abc1"), make_trajectory("abd2")])
    labels = [
        StepLabel(
            trajectory_id="abc1",
            step_index=i,
            method="monte_carlo[n=8]",
            completer="c",
            evidence="rollouts",
            num_rollouts=8,
            num_correct=8 - 8 * i,
            soft=1.0 - i,
            hard=i == 0,
            ci_low=None,
            ci_high=None,
        )
        for i in range(2)
    ]
    store.commit(unit_of("step_labels", stage="step_labels"), labels)
    scores = StepScores(
        trajectory_id="abc1", verifier="v", scores=(0.875, 0.125), scored_tokens=9, cached_tokens=0
    )
    store.commit(unit_of("step_scores", stage="scoring"), [scores])
    return store.root


def test_sql_prints_csv_json_and_parquet(stepmill, filled, tmp_path):
    statement = "select trajectory_id, steps from trajectories order by 1"
    asked = ("sql", statement, "--root", filled, "--format")
    rows = list(csv.DictReader(io.StringIO(stepmill(*asked, "csv").stdout)))
    assert [row["trajectory_id"] for row in rows] == ["abc1", "abd2"]
    assert json.loads(rows[0]["steps"])[0]["text"] == "2 + 2 = 4\n"
    found = json.loads(stepmill(*asked, "json").stdout)
    assert found[1]["steps"][1]["logprob"] == -0.25
    file = tmp_path / "out.parquet"
    file.write_bytes(in_a_process("sql", statement, "--format", "parquet", root=filled).stdout)
    assert pq.read_table(file).num_rows == 2


def test_sql_prints_a_table(stepmill, filled):
    printed = stepmill("sql", "select 40 + 2 as answer", "--root", filled).stdout
    assert "answer" in printed
    assert "42" in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sql", "drop view trajectories"), "expected a statement that only reads"),
        (("sql", "select * from nowhere"), "nowhere"),
        (("sql", "select 1", "--format", "xml"), "expected --format table, csv, json or parquet"),
        (("show", "ab"), "expected one trajectory whose id begins with 'ab', got several"),
        (("show", "zz"), "got none"),
        (("report", "missing"), "run missing has no results"),
        (("run", "nothing"), "there is no flow 'nothing': expected one of factory"),
        (("run", "--set", "seed"), "--set seed: expected FIELD=VALUE"),
        (
            ("run", "--set", "eval_sampling.num_sample=3"),
            "eval_sampling.num_sample: no such field, expected one of num_samples",
        ),
        (
            ("run", "--set", "eval_sampling.top_p=3"),
            "eval_sampling.top_p: expected at most 1, got 3",
        ),
        (("run", "--set", "seed=1", "--set", "seed.x=1"), "expected fields in seed, got 1"),
        (("run", "--set", "seed=[1"), "--set seed=[1: expected YAML"),
        (("run", "sampling"), "problems: expected a value, got none"),
        (("run", "--run-id", "a/b"), "run id 'a/b': expected 1 to 100 letters"),
        (("sql", "select * from nowhere"), "`show tables` lists"),
        (("improve", "nothing"), "there is no loop 'nothing': expected one of rest, rest_em"),
        (("improve", "reverse_curriculum", "--rounds", "2"), "rounds: no such field"),
        (("improve", "rest", "--policy", "/nowhere"), "model /nowhere: expected a folder"),
    ],
)
def test_a_mistake_is_one_line_that_names_it(stepmill, filled, arguments, message):
    finished = stepmill(*arguments, "--root", filled)
    error = finished.stderr
    assert finished.returncode == 2
    assert error.startswith("stepmill: ")
    assert message in error
    assert "Traceback" not in error


def test_a_folder_that_is_no_store_is_named(tmp_path):
    finished = in_a_process("sql", "select 1", root=tmp_path / "nowhere")
    assert finished.returncode == 2
    assert b"is not a store" in finished.stderr


def test_show_prints_steps_with_labels_and_scores(stepmill, filled):
    printed = stepmill("show", "abc", "--root", filled).stdout
    for part in ("p0?", "gold answer 4", "2 + 2 = 4", "right 8/8", "wrong 0/8", "0.875", "0.125"):
        assert part in printed, part
    whole = json.loads(stepmill("show", "abc", "--format", "json", "--root", filled).stdout)
    assert whole["scores"][0]["scores"] == [0.875, 0.125]


def test_the_root_can_come_from_the_environment(stepmill, filled):
    statement = "select count(*) as n from trajectories"
    found = stepmill("sql", statement, "--format", "json", STEPMILL_ROOT=str(filled))
    assert json.loads(found.stdout) == [{"n": 2}]


def test_each_top_level_package_is_this_distribution():
    import flows
    import schemas
    import storage
    import tasks

    here = Path(__file__).resolve().parents[2]
    for package in (flows, schemas, storage, tasks):
        assert Path(package.__file__ or "").parent.parent == here
