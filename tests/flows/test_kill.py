"""`kill -9` in the middle of a run, and a rerun: no row is missing, duplicated or made again."""

import os
import shutil
import socket
from pathlib import Path

import pytest

from benchmarks.kill import Trial, make_environment, measure
from benchmarks.solutions import (
    check_store,
    count_lost,
    look_at_files,
    read_solutions,
    read_starts,
)

TRIALS = (
    Trial(kind="flow", engine="markov", units_in_flight=2, share=0.3, delay_s=0.0),
    Trial(kind="actor", engine="markov", units_in_flight=1, share=0.1, delay_s=0.0),
    Trial(kind="raylet", engine="markov", units_in_flight=2, share=0.0, delay_s=0.0),
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """A report per kind of process that was killed."""
    folder = tmp_path_factory.mktemp("kills")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in make_environment(folder, port).items():
            patch.setenv(name, value)
        return {report["kind"]: report for report in measure(TRIALS, folder, port)["reports"]}


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("kind", [trial.kind for trial in TRIALS])
def test_a_rerun_makes_exactly_what_a_kill_has_kept_from_being_made(reports, kind):
    report = reports[kind]
    assert report["complaints"] == []
    assert report["units_committed"] < report["units"]
    assert report["same_texts"] == 1.0  # independent of what else runs


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_goes_on_without_an_actor_and_ends_with_its_flow(reports):
    assert reports["actor"]["went_on"]
    assert not reports["flow"]["went_on"]
    assert "-9" in reports["flow"]["message"]


@pytest.fixture
def sampled(store, unit_of, make_trajectory) -> Path:
    """A store with two units of two solutions each, both recorded as started."""
    for index, name in enumerate(("a", "b")):
        ids = (2 * index, 2 * index + 1)
        rows = [make_trajectory(f"t{i}", problem_id=f"p{i}", sample_index=0) for i in ids]
        store.commit(unit_of("trajectories", name), rows)
    root = Path(store.url)
    note_starts(root, *look_at_files(root))
    return root


def note_starts(root, *files):
    with Path(f"{root}.begun").open("a") as notes:
        notes.writelines(f"{file.relative_to(root)} 17\n" for file in files)


def remove(files, root):
    files[0].unlink()


def copy_under_another_name(files, root):
    shutil.copy(files[0], files[0].with_name("c.parquet"))


def cut(files, root):
    os.truncate(files[0], files[0].stat().st_size // 2)


def write_again(files, root):
    shutil.copy(files[0], files[0].with_suffix(".new"))
    files[0].with_suffix(".new").replace(files[0])


def begin_again(files, root):
    note_starts(root, files[0])


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (remove, "2 solutions are missing"),
        (copy_under_another_name, "occurs twice"),
        (cut, "is unreadable"),
        (write_again, "written again: a.parquet"),
        (begin_again, "started again after their commit: trajectories/"),
    ],
)
def test_damage_is_seen(sampled, damage, complaint):
    (sampled / ".staging" / "unfinished.parquet").write_bytes(b"PAR1")
    expected, wrong = read_solutions(sampled)
    committed, starts = look_at_files(sampled), read_starts(sampled)
    assert wrong == []
    assert check_store(sampled, expected, committed, starts) == []
    damage(sorted(committed), sampled)
    complaints = check_store(sampled, expected, committed, starts)
    assert any(complaint in line for line in complaints), complaints


def test_every_start_but_a_units_last_was_lost():
    starts = [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("a", "3"), ("b", "3")]
    assert count_lost(starts) == {"1": 2, "2": 1}
