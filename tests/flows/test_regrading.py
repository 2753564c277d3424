"""Regrading a run that version 3 made keeps its verdicts, also those of its rollouts."""

import tarfile
from collections import Counter
from pathlib import Path

import pytest

from schemas.graders import MathGraderConfig, ProgramGraderConfig
from schemas.regrading import RegradingJob
from storage import Store

FIXTURE = Path(__file__).parents[1] / "fixtures" / "store-v3.tar.gz"


@pytest.fixture
def stored(tmp_path) -> Store:
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Store(tmp_path / "store")


def test_grading_rollouts_again_with_the_same_grader_changes_no_verdict(stored, prefect_server):
    from flows.regrading import regrade

    job = RegradingJob(set_name="train", grader=MathGraderConfig(), with_rollouts=True)
    changes = regrade(job, stored.url, "first")
    moved = {change: n for change, n in changes.items() if change.before is not change.after}
    assert moved == {}
    paths = stored.files("trajectories", run_id="first", stage="step_labels", prefix="train.")
    rows = [row for path in paths for row in stored.read(path)]
    assert {row.status for row in rows} <= {"finished", "truncated"}
    solutions = stored.files("trajectories", run_id="first", stage="sampling", prefix="train.")
    num_solutions = sum(map(stored.num_rows, solutions))
    assert Counter(changes).total() == num_solutions + len(rows)


def test_a_grader_that_can_judge_none_of_the_problems_overrules_no_verdict(stored, prefect_server):
    from flows.regrading import regrade

    verdicts = stored.files("verdicts", run_id="first", stage="regrading")
    job = RegradingJob(set_name="train", grader=ProgramGraderConfig())
    with pytest.raises(ValueError, match=r"found none in .*train.*: expected a problem with tests"):
        regrade(job, stored.url, "first")
    assert stored.files("verdicts", run_id="first", stage="regrading") == verdicts
