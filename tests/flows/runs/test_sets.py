"""A typo writes nothing: flows that need a run look for it first."""

import pytest

from flows.registry import FLOWS
from flows.runs.sets import look_for
from schemas.base import FrozenConfig
from schemas.errors import StoreUnusable
from schemas.evaluation import EvaluationJob
from storage.roots import VERIFIED


@pytest.fixture
def filled(store, unit_of, make_problem, make_trajectory):
    store.commit(unit_of("problems", stage="problems", name="eval"), [make_problem("p0")])
    return store


def _files(folder):
    """All but what reading remembers, which is no part of what is stored."""
    return sorted(path for path in folder.rglob("*") if path.name != VERIFIED)


@pytest.mark.parametrize(
    "arguments",
    [
        ["regrade", "--run-id", "nope"],
        ["build", "rest", "--from-run", "nope"],
        ["run", "evaluation", "--run-id", "nope"],
    ],
)
def test_a_command_in_a_wrong_folder_leaves_no_store(stepmill, tmp_path, arguments):
    ended = stepmill(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert "is not a store" in ended.stderr
    assert _files(tmp_path) == []


def test_a_mistyped_run_or_set_leaves_the_store_as_it_was(stepmill, filled, tmp_path):
    (run_id,) = {path.parent.parent.name for path in filled.root.rglob("*.parquet")}
    run_id = run_id.removeprefix("run_id=")
    before = _files(filled.root)
    ended = stepmill("regrade", "--run-id", "nope", "--root", str(filled.root), cwd=tmp_path)
    assert (ended.returncode, "a run with problems, got nope" in ended.stderr) == (2, True)
    assert _files(filled.root) == before
    with pytest.raises(ValueError, match="has no set 'evl': expected eval"):
        look_for(filled.root, run_id, ["evl"])
    assert _files(filled.root) == before
    look_for(filled.root, run_id, ["eval"])


def test_no_store_and_no_run_are_named(tmp_path, filled):
    with pytest.raises(StoreUnusable, match="is not a store"):
        look_for(tmp_path / "nothing", "first", ["eval"])
    with pytest.raises(ValueError, match="a run to work on, got none"):
        look_for(filled.root, None, ["eval"])


def test_which_flows_need_a_run():
    need = {
        "regrading", "step_labels", "prm_training", "scoring", "token_rewards", "error_paths",
        "critiques", "self_talk", "evaluation", "dataset_export",
    }  # fmt: skip
    for name, flow in FLOWS.items():
        own = flow.config.stored_sets is not FrozenConfig.stored_sets
        assert own is (name in need), name
    assert EvaluationJob(set_name="dev").stored_sets() == ("dev",)
