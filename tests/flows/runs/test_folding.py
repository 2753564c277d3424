"""Folding without being asked: which folders, when, and what happens if it is in the way."""

import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime

import pytest

from flows.runs.folding import fold_after_run, fold_at_night, nightly_folding, seconds_until
from storage import Store, connect, query


@pytest.fixture
def many(store, unit_of, make_problem):
    """Two runs: one with twelve small files of a stage and two of another, one with eleven."""
    for run_id, stage, num_files in (("a", "first", 12), ("a", "second", 2), ("b", "first", 11)):
        for index in range(num_files):
            unit = unit_of("problems", f"u{index:02d}", run_id=run_id, stage=stage)
            store.commit(unit, [make_problem(f"{run_id}-{stage}-{index}")])
    return store


def ids(store):
    """The problems, from SQL and from the units one by one."""
    connection = connect(store.url)
    found = query(connection, "select problem_id from problems order by 1").fetchall()
    connection.close()
    return [name for (name,) in found]


def by_unit(store):
    """The problems, from the units one after another."""
    fresh = Store(store.url)
    folders = (("a", "first"), ("a", "second"), ("b", "first"))
    paths = [p for run, stage in folders for p in fresh.files("problems", run_id=run, stage=stage)]
    return sorted(row.problem_id for path in paths for row in fresh.read(path))


def num_files(store):
    folders = sorted((store.root / "problems").glob("*/*"))
    return [len(list(folder.iterdir())) for folder in folders]


def test_after_a_run_its_folders_of_many_files_are_folded(many):
    before = ids(many)
    fold_after_run(many, "a", min_files=13)
    assert num_files(many) == [12, 2, 11]
    fold_after_run(many, "a", min_files=12)
    assert num_files(many) == [1, 2, 11]
    assert ids(many) == before == by_unit(many)


def test_at_night_those_of_all_runs_are(many):
    before = ids(many)
    fold_at_night(many, min_files=11)
    assert num_files(many) == [1, 2, 1]
    fold_at_night(many, min_files=11)
    assert num_files(many) == [1, 2, 1]
    assert ids(many) == before == by_unit(many)


def test_large_files_are_no_reason_to_fold(many, monkeypatch):
    monkeypatch.setattr("storage.compaction.SMALL_BYTES", 10)
    fold_at_night(many, min_files=3)
    assert num_files(many) == [12, 2, 11]


def test_a_reader_that_stays_is_said_and_nothing_is_lost(many, monkeypatch, capsys):
    monkeypatch.setattr("flows.runs.folding._TIMEOUT_S", 0.0)
    reader, before = connect(many.url), by_unit(many)
    fold_after_run(many, "a", min_files=12)
    assert "small files stay as they are" in capsys.readouterr().err
    assert num_files(many) == [12, 2, 11]
    reader.close()
    assert by_unit(many) == before


@pytest.mark.parametrize("moment", ["writing", "linking"])
def test_death_while_folding_loses_nothing(many, moment):
    """Killed with the folded file half written, and with the new folder half filled."""
    script = textwrap.dedent(
        """
        import dataclasses, os, signal, sys
        import storage.compaction as compaction
        from flows.runs.folding import fold_after_run
        from schemas.units import Unit
        from storage import Store

        def die(*arguments, **options):
            os.kill(os.getpid(), signal.SIGKILL)

        if sys.argv[2] == "writing":
            compaction.seal = die
        else:
            store, write = Store(sys.argv[1]), compaction._write

            def write_while_a_unit_comes(*arguments):
                target = write(*arguments)
                folder = "problems/run_id=a/stage=first"
                row = dataclasses.replace(store.read(f"{folder}/u00.parquet")[0], problem_id="late")
                unit = Unit(run_id="a", stage="first", name="u99", table="problems")
                store.commit(unit, [row])
                compaction.os.link = die  # which gives the new folder what has come
                return target

            compaction._write = write_while_a_unit_comes
        fold_after_run(Store(sys.argv[1]), "a", min_files=12)
        """
    )
    before = ids(many)
    child = subprocess.run([sys.executable, "-c", script, many.url, moment], check=False)
    assert child.returncode == -signal.SIGKILL
    late = ["late"] if moment == "linking" else []
    assert num_files(many) == [12 + len(late), 2, 11]
    assert ids(many) == before + late == by_unit(many)
    fold_after_run(many, "a", min_files=12)
    assert num_files(many) == [1, 2, 11]
    assert ids(many) == before + late == by_unit(many)


def test_units_of_a_folded_file_are_read_row_group_by_row_group(many, monkeypatch):
    """Twelve units in three row groups: three reads, not twelve."""
    monkeypatch.setattr("storage.compaction._ROW_GROUP_ROWS", 4)
    fold_after_run(many, "a", min_files=12)
    fresh, opened = Store(many.url), []
    paths = fresh.files("problems", run_id="a", stage="first")
    real = type(fresh.files_root).open

    def spy(root, path):
        stream = real(root, path)
        opened.append(path)
        return stream

    monkeypatch.setattr(type(fresh.files_root), "open", spy)
    found = [row.problem_id for path in paths for row in fresh.read(path)]
    assert found == [f"a-first-{index}" for index in range(12)]
    assert len(opened) == 3


@pytest.mark.parametrize(
    ("hour", "minute", "expected_h"), [(3, 30, 0.5), (4, 0, 24.0), (4, 30, 23.5), (23, 0, 5.0)]
)
def test_the_next_night(hour, minute, expected_h):
    now = datetime(2026, 1, 1, hour, minute, tzinfo=UTC)
    assert seconds_until(now, 4) == expected_h * 3600


def test_folding_at_night_ends_with_its_block(many):
    with nightly_folding(many):
        pass
    assert num_files(many) == [12, 2, 11]
