import json
import os
import signal
import subprocess
import sys
import textwrap

import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreUnusable
from storage import Store


def test_a_committed_file_is_read_back(store, unit_of, make_trajectory):
    unit = unit_of("trajectories")
    rows = [make_trajectory("a"), make_trajectory("b", status="error", error="no room")]
    receipt = store.commit(unit, rows, seconds=2.5)
    assert store.has(unit)
    assert store.read(unit.path) == rows
    assert store.read(unit.path, rows=(1, 2)) == rows[1:]
    assert (receipt.num_rows, receipt.num_errors, receipt.generated_tokens) == (2, 1, 18)
    assert (receipt.prompt_tokens, receipt.cached_tokens, receipt.seconds) == (10, 4, 2.5)


def test_the_first_commit_stays(store, unit_of, make_trajectory):
    unit = unit_of("trajectories")
    store.commit(unit, [make_trajectory("first")])
    receipt = store.commit(unit, [make_trajectory("second"), make_trajectory("third")])
    assert receipt.was_there
    assert receipt.num_rows == 1
    assert [row.trajectory_id for row in store.read(unit.path)] == ["first"]


def test_a_row_that_does_not_fit_leaves_nothing_behind(store, unit_of, make_trajectory):
    unit = unit_of("trajectories")
    with pytest.raises(ValueError, match="policy"):
        store.commit(unit, [make_trajectory(policy=None)])
    assert not store.has(unit)
    assert list((store.root / ".staging").iterdir()) == []


def test_any_parquet_reader_sees_committed_files_only(store, unit_of, make_trajectory):
    store.commit(unit_of("trajectories", "u0"), [make_trajectory("a")])
    store.commit(unit_of("trajectories", "u1"), [make_trajectory("b")])
    (store.root / ".staging" / "left.parquet").write_bytes(b"half a file")
    table = pq.read_table(store.root / "trajectories")
    assert sorted(table["trajectory_id"].to_pylist()) == ["a", "b"]
    assert set(table["run_id"].to_pylist()) == {"run"}


@pytest.mark.parametrize("name", ["", "..", "a/b", "a b", "-x", "x" * 101])
def test_names_that_could_leave_the_store_are_refused(store, unit_of, name):
    with pytest.raises(ValueError, match="expected 1 to 100 letters"):
        store.commit(unit_of("problems", name), [])


def test_a_folder_without_marker_is_no_store(tmp_path):
    with pytest.raises(StoreUnusable, match="is not a store"):
        Store(tmp_path, create=False)


def test_a_newer_store_is_refused(store):
    (store.root / "stepmill.json").write_text(json.dumps({"schema_version": 99}))
    with pytest.raises(StoreUnusable, match="use a newer stepmill"):
        Store(store.root)


@pytest.mark.parametrize("root", ["gs://bucket/store", "https://example.org/store"])
def test_a_url_of_another_kind_is_refused_with_what_was_expected(root):
    with pytest.raises(StoreUnusable, match="expected a local folder or s3://BUCKET/PREFIX"):
        Store(root)


def test_missing_units_keep_their_order(store, unit_of, make_problem):
    units = [unit_of("problems", name, stage="problems") for name in ("c", "a", "b")]
    store.commit(units[1], [make_problem()])
    assert store.missing(units) == [units[0], units[2]]


def test_a_file_says_which_unit_it_is_and_what_it_took(store, unit_of, make_problem):
    store.commit(unit_of("problems", "u7"), [make_problem("a"), make_problem("b")], seconds=1.5)
    metadata = pq.read_metadata(store.root / unit_of("problems", "u7").path).metadata
    held = json.loads(metadata[b"stepmill_units"])
    assert held == [{"name": "u7", "rows": 2, "seconds": 1.5}]
    assert store.receipt(unit_of("problems", "u7")).seconds == 1.5


def test_a_folder_is_put_whole_and_the_first_one_stays(store):
    for text in ("first", "second"):
        with store.scratch() as scratch:
            (scratch / "model").mkdir()
            (scratch / "model" / "weights").write_text(text)
            store.put_folder(scratch / "model", "checkpoints/m")
    assert (store.local_folder("checkpoints/m") / "weights").read_text() == "first"
    assert list((store.root / ".staging").iterdir()) == []
    with pytest.raises(FileNotFoundError, match="checkpoints/other"):
        store.local_folder("checkpoints/other")


def test_a_damaged_file_is_named_when_it_is_read(store, unit_of, make_problem):
    unit = unit_of("problems")
    store.commit(unit, [make_problem()])
    path = store.root / unit.path
    whole = path.read_bytes()
    for damaged in (whole[:-3], b"PAR1" + b"x" * 40 + whole[-8:]):
        path.write_bytes(damaged)
        with pytest.raises(StoreUnusable, match=r"run_id=run/stage=sampling/u0\.parquet is not a"):
            store.read(unit.path)


def test_files_are_listed_by_name_and_prefix(store, unit_of, make_problem):
    for name in ("train-1", "train-0", "eval-0"):
        store.commit(unit_of("problems", name, stage="problems"), [make_problem()])
    folder = "problems/run_id=run/stage=problems"
    assert store.files("problems", run_id="run", stage="problems", prefix="train-") == [
        f"{folder}/train-0.parquet",
        f"{folder}/train-1.parquet",
    ]


def test_a_writer_killed_in_the_middle_leaves_no_file_and_the_next_one_finishes(
    store, unit_of, make_problem
):
    """A process is stopped between writing and linking, then killed."""
    script = textwrap.dedent(
        """
        import sys
        from schemas.rows import Problem
        from schemas.units import Unit
        from storage import Store
        import os

        def stop_here(staged, target):
            print("written", flush=True)
            sys.stdin.read()

        store = Store(sys.argv[1])
        os.link = stop_here
        row = Problem(problem_id="p", source="s", split="dev", question="q", answer="a")
        store.commit(Unit(run_id="run", stage="problems", name="u0", table="problems"), [row])
        """
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, str(store.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "written\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    unit = unit_of("problems", stage="problems")
    assert not store.has(unit)
    assert len(list((store.root / ".staging").glob("*.parquet"))) == 1
    store.commit(unit, [make_problem("whole")])
    assert [row.problem_id for row in store.read(unit.path)] == ["whole"]
