"""Imported solutions in a run: graded, measured, regraded; and a kill in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.graders import ExactGraderConfig, ProgramGraderConfig
from schemas.imports import ImportsJob
from schemas.regrading import RegradingJob
from storage import Store, connect, query
from tasks.sandbox import sandbox_fault

ODD_NAME = "it's $(a) *file*? \n[x]; drop table.jsonl"
HOSTILE = (
    "'); drop table trajectories; --",
    "$(touch owned-by-import) `touch owned-by-import`",
    "{0.__class__} %s %n {question}",
    "\x1b[2J\x1b]0;owned\x07\x9b2J\u202e",
    "nul \x00 byte\nAnswer: 1",
    "\\boxed{" * 20_000 + "1" + "}" * 20_000,
    "\\boxed{" + "\\frac{" * 3_000 + "1" + "}{2}" * 3_000 + "}",
    "x" * 1_000_000,
)


def ask(store, sql):
    return query(connect(store.url), sql).fetchall()


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def solved(index, *answers, **columns):
    """A row whose responses give these answers to a question whose answer is 1."""
    responses = [f"Let me see.\nAnswer: {answer}" for answer in answers]
    return {"question": f"q{index}?", "answer": "1", "responses": responses, **columns}


@pytest.fixture
def imported(tmp_path, store, prefect_server):
    """Two problems: 1 1 2 2 scored .9 .8 .2 .1, and 2 2 2 1. scored .1 .1 .1 .9; 12 bad rows."""
    from flows.imports import import_solutions

    path = write(
        tmp_path / "solved.jsonl",
        solved(0, 1, 1, 2, 2, reward=[0.9, 0.8, 0.2, 0.1]),
        *[{"question": "q1?"}] * 12,
        solved(2, 2, 2, 2, "1.0", reward=[0.1, 0.1, 0.1, 0.9]),
    )
    job = ImportsJob(path=path, policy="theirs", scores_column="reward", trajectories_per_unit=4)
    import_solutions(job, store.url, "run")
    return store, job


def accuracies(store, **fields):
    from flows.evaluation import evaluate

    config = EvaluationConfig(budgets=(1, 4), num_bootstrap=50)
    evaluate(EvaluationJob(evaluation=config, **fields), store.url, "run")
    found = ask(
        store,
        "select strategy, budget, value from curves where metric = 'accuracy' and bin = 'all' "
        "and strategy in ('pass', 'majority', 'best_of_n[last]')",
    )
    return {(strategy, budget): value for strategy, budget, value in found}


def test_views_and_curves_work_on_imported_solutions(imported):
    store, _ = imported
    named = (store.root / "imports/run/eval-left-out.txt").read_text().splitlines()
    assert [line.partition(" is")[0] for line in named] == [f"row {i}" for i in range(1, 13)]
    rates = ask(
        store, "select policy, strategy, num_graded, num_correct from solve_rate order by 4"
    )
    assert rates == [("theirs", "imported", 4, 1), ("theirs", "imported", 4, 2)]
    assert ask(store, "select k, pass_at_k from pass_at_k where k in (1, 4) order by k") == [
        (1, pytest.approx(3 / 8)),
        (4, 1.0),
    ]
    assert accuracies(store) == pytest.approx(
        {
            ("pass", 1): 3 / 8,
            ("pass", 4): 1.0,
            ("majority", 1): 3 / 8,
            ("majority", 4): 1 / 4,  # a tie, and a majority for 2
            ("best_of_n[last]", 1): 3 / 8,
            ("best_of_n[last]", 4): 1.0,
        }
    )
    models = "select distinct set_name, policy, verifier from curves where verifier is not null"
    assert ask(store, models) == [("eval", "theirs", "reward")]
    unknown = "select count(*) from curves where metric in ('generated_tokens', 'scored_tokens')"
    assert ask(store, unknown) == [(0,)]


def test_a_second_import_makes_nothing_and_other_content_is_refused(imported, tmp_path):
    from flows.imports import import_solutions
    from schemas.errors import RunConflict

    store, job = imported
    files = {p: p.stat().st_mtime_ns for p in store.root.glob("[ps-t]*/run_id=*/*/*.parquet")}
    assert len(files) == 1 + 2 + 2
    moved = job.path.rename(tmp_path / "moved.jsonl")
    job = job.with_fields(path=moved, source="solved")
    import_solutions(job, store.url, "run")
    assert {p: p.stat().st_mtime_ns for p in files} == files
    write(moved, solved(0, 1, reward=[0.5]))
    with pytest.raises(RunConflict, match="digest"):
        import_solutions(job, store.url, "run")


def test_regrading_changes_what_views_and_curves_say(imported):
    from flows.regrading import regrade

    store, _ = imported
    before = accuracies(store)
    changes = regrade(RegradingJob(grader=ExactGraderConfig()), store.url, "run")
    assert {(c.before, c.after): n for c, n in changes.items()} == {
        (True, True): 2,
        (False, False): 5,
        (True, False): 1,
    }
    assert ask(store, "select count(*), sum(correct::int) from graded") == [(8, 2)]
    after = accuracies(store)
    assert before["best_of_n[last]", 4] == 1.0
    assert after["best_of_n[last]", 4] == 0.5
    assert len(list(store.root.glob("metrics/*/*/*.parquet"))) == 2
    accuracies(store)
    assert len(list(store.root.glob("metrics/*/*/*.parquet"))) == 2


def test_a_grader_that_was_used_before_counts_again(imported):
    from flows.regrading import regrade

    store, _ = imported
    exact, math = RegradingJob(grader=ExactGraderConfig()), RegradingJob()
    first = regrade(exact, store.url, "run")
    assert regrade(exact, store.url, "run") == first
    assert len(list(store.root.glob("verdicts/*/*/*.parquet"))) == 2
    back = regrade(math, store.url, "run")
    assert sum(n for c, n in back.items() if (c.before, c.after) == (False, True)) == 1
    regrade(exact, store.url, "run")
    assert len(list(store.root.glob("verdicts/*/*/*.parquet"))) == 6
    assert ask(store, "select sum(correct::int) from graded") == [(2,)]


def test_who_wrote_the_solutions_is_checked(imported):
    store, _ = imported
    with pytest.raises(ValueError, match="expected solutions by 'ours', got some by 'theirs'"):
        accuracies(store, policy_name="ours")
    with pytest.raises(ValueError, match="verifier other has scored none"):
        accuracies(store, verifier_name="other")


def test_a_set_of_other_problems_is_not_added_to(imported, unit_of, make_problem):
    from flows.imports import import_solutions

    store, job = imported
    store.commit(unit_of("problems", name="dev", stage="problems"), [make_problem("p0")])
    with pytest.raises(ValueError, match="has a set 'dev' with other problems"):
        import_solutions(job.with_fields(set_name="dev"), store.url, "run")


def test_hostile_texts_and_names_are_only_text(tmp_path, store, prefect_server):
    from flows.imports import import_solutions

    path = write(
        tmp_path / ODD_NAME,
        *({"question": t, "answer": "1", "responses": [t], "subject": t} for t in HOSTILE),
    )
    write(
        tmp_path / "golds.jsonl",
        *({"question": "q", "answer": t, "responses": [t]} for t in HOSTILE[:5]),
    )
    import_solutions(ImportsJob(path=path, subject_column="subject"), store.url, "run")
    import_solutions(ImportsJob(path=tmp_path / "golds.jsonl", set_name="b"), store.url, "run")
    texts = "select array_to_string([s.text for s in steps], '') from trajectories"
    found = {text for (text,) in ask(store, texts)}
    assert found == set(HOSTILE)
    assert {policy for (policy,) in ask(store, "select distinct policy from trajectories")} == {
        ODD_NAME.removesuffix(".jsonl"),
        "golds",
    }
    accuracies(store)
    assert not Path("owned-by-import").exists()


@pytest.mark.parametrize("command", ["show", "sql", "report"])
def test_a_terminal_obeys_nothing_of_an_import(tmp_path, store, prefect_server, capsys, command):
    from flows.commands.report import show_report
    from flows.imports import import_solutions
    from flows.tables.output import write_relation
    from flows.tables.trajectory import show_trajectory

    row = {"question": HOSTILE[3], "answer": "1", "responses": [HOSTILE[3]], "scores": [0.5]}
    path = write(tmp_path / "x.jsonl", {**row, "subject": "[/red]\x1b[2J"})
    names = {"policy": "[bold]\x1b[2J", "verifier": "[/x]\x1b[2J", "subject_column": "subject"}
    import_solutions(ImportsJob.from_partial({"path": path, **names}), store.url, "run")
    accuracies(store)
    capsys.readouterr()
    connection = connect(store.url)
    if command == "show":
        show_trajectory(connection, "", "text")
    elif command == "sql":
        write_relation(query(connection, 'select steps, policy as "\x1b[2J" from graded'), "table")
    else:
        show_report(connection, "run", "table")
        show_report(connection, "run", "table", by="subject")
    printed = capsys.readouterr().out
    assert "\\x1b[2J" in printed
    assert not set(printed) & {"\x1b", "\x07", "\x9b", "\u202e"}


@pytest.mark.slow
def test_a_killed_import_goes_on_and_every_row_is_there_once(tmp_path, prefect_server):
    from prefect.settings import PREFECT_API_URL

    rows = [solved(i, 1, r"\frac{2}{2}", r"\sqrt{" + str(i) + "}", 3) for i in range(300)]
    path = write(tmp_path / "many.jsonl", *rows)
    root = tmp_path / "store"
    command = [sys.executable, "-m", "flows.cli", "import", str(path), "--run-id", "r"]
    command += ["--root", str(root), "--set", "trajectories_per_unit=40"]
    environment = {**os.environ, "PREFECT_API_URL": PREFECT_API_URL.value()}
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list(root.glob("trajectories/*/*/*.parquet"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        os.sched_yield()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    there = {p: p.stat().st_mtime_ns for p in root.glob("trajectories/*/*/*.parquet")}
    assert 3 <= len(there) < 30
    assert subprocess.run(command, env=environment, check=False).returncode == 0
    assert {p: p.stat().st_mtime_ns for p in there} == there
    counts = "count(*), count(distinct trajectory_id), count(distinct problem_id)"
    assert ask(Store(root), f"select {counts} from graded") == [(1200, 1200, 300)]
    assert ask(Store(root), "select count(*) from graded where correct") == [(601,)]


def test_a_file_of_another_kind_is_refused_before_a_server_starts(stepmill, tmp_path):
    path = tmp_path / "solved.csv"
    path.write_text("question,answer\n")
    done = stepmill("import", path, "--root", tmp_path / "store")
    assert done.returncode == 2
    assert "path: expected a .jsonl, .json or .parquet file, got" in done.stderr
    assert "UI:" not in done.stderr
    assert list(tmp_path.iterdir()) == [path]


def test_gsm8k_solutions_are_right_by_their_own_gold_answers(
    shared_data, tmp_path, store, prefect_server
):
    from flows.imports import import_solutions

    lines = (shared_data / "gsm8k_test.jsonl").read_text().splitlines()[:200]
    rows = [json.loads(line) for line in lines]
    path = write(tmp_path / "gsm.jsonl", *({**r, "responses": [r["answer"]]} for r in rows))
    import_solutions(ImportsJob(path=path, gold_format="solution"), store.url, "run")
    assert ask(store, "select count(*), sum(correct::int) from graded") == [(200, 200)]


@pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
def test_programs_are_graded_and_problems_with_faulty_tests_named(
    tmp_path, store, prefect_server, capsys
):
    from flows.imports import import_solutions

    test = "def check(candidate):\n    assert candidate(2) == 4\n    assert candidate(0) == 0"
    row = {
        "prompt": "def double(x):\n    '''Twice x.'''\n",
        "entry_point": "double",
        "test": test,
        "reference": "    return 2 * x",
        "responses": ["    return x + x", "    return 4", "def twice(x): return x + x", "None"],
    }
    path = write(
        tmp_path / "programs.jsonl",
        row,
        {**row, "reference": "    return 3 * x", "responses": ["    return x + x"]},
        {**row, "test": None, "responses": ["    return x + x"]},
        {**row, "test": "def check(", "responses": ["    return x + x"]},
    )
    job = ImportsJob(
        path=path,
        question_column="prompt",
        solution_column="reference",
        check_columns=("test", "entry_point"),
        grader=ProgramGraderConfig(timeout_s=2),
    )
    import_solutions(job, store.url, "run")
    rows = ask(
        store,
        "select t.correct, t.check_result.status, t.check_result.num_passed "
        "from trajectories as t order by t.created_at, t.sample_index",
    )
    assert sorted(rows, key=str) == sorted(
        [
            (True, "passed", 2),
            (False, "failed", 1),
            (False, "missing", 0),
            (False, "failed", 0),
            *[(None, "bad_check", 0)] * 3,
        ],
        key=str,
    )
    said = capsys.readouterr().err
    named = [line for line in said.splitlines() if line.startswith("import eval: problem ")]
    assert len(named) == 3
    assert "got failed, 1 of 2 passed" in said
    assert "expected tests: test and entry_point" in said
