"""The flow on a real Prefect server: from labelled solutions to a set and a registered verifier."""

import json

import pytest

from flows.runs.verifier_labels import labels_of
from schemas.prm_training import PrmTrainingJob
from schemas.reductions import VerifierLabels
from schemas.rows import PROBLEMS, STEP_LABELS, TRAJECTORIES, Step, StepLabel
from storage import connect
from tasks.models.checkpoints import find_checkpoint


@pytest.fixture
def labelled(store, unit_of, make_problem, make_trajectory):
    """Forty problems with a solution each; the first step is right only for odd problems."""
    problems = [
        make_problem(f"p{i}", split="train", question=f"What is {i} and a half?") for i in range(40)
    ]
    store.commit(unit_of(PROBLEMS.name, "train", stage="problems"), problems)
    trajectories = [
        make_trajectory(
            f"t{i}",
            problem_id=f"p{i}",
            steps=(
                Step(text=f"{i} + 1 = {7 if i % 2 else 3}\n", num_tokens=5),
                Step(text=f"Answer: {i % 10}", num_tokens=2),
            ),
            correct=bool(i % 2),
        )
        for i in range(40)
    ]
    store.commit(unit_of(TRAJECTORIES.name, "train.00000"), trajectories)
    labels = [
        StepLabel(
            trajectory_id=f"t{i}",
            step_index=step,
            method="monte_carlo[n=8]",
            completer="policy-0",
            evidence="rollouts",
            num_rollouts=8,
            num_correct=4,
            soft=0.5 if i % 2 else 0.0,
            hard=bool(i % 2),
            ci_low=None,
            ci_high=None,
        )
        for i in range(40)
        for step in range(2)
    ]
    store.commit(unit_of(STEP_LABELS.name, "train.00000-000", stage="step_labels"), labels)
    return store


def job(**fields):
    training = {"base_model": "world-policy", "num_workers": 0, "max_steps": 3}
    policy = {"type": "vllm", "model": "world-policy"}
    return PrmTrainingJob.from_partial({"policy": policy, "training": training, **fields})


@pytest.mark.slow
def test_a_verifier_is_trained_once_on_a_set_that_it_names(prefect_server, labelled):
    from flows.prm_training import train_verifier

    folder = train_verifier(job(), labelled.url, "run")
    assert train_verifier(job(), labelled.url, "run") == folder
    catalog = connect(labelled.url)
    ((model_id, path, set_name, metrics),) = catalog.sql(
        "select model_id, path, training_set, metrics from models"
    ).fetchall()
    assert find_checkpoint(labelled, path) == folder
    assert labels_of(labelled, model_id) == VerifierLabels("monte_carlo[n=8]", "hard")
    assert json.loads(metrics)["training_rows"] + json.loads(metrics)["heldout_rows"] == 40
    sets = catalog.sql("select name, form, num_rows, kind from training_sets").fetchall()
    assert sets == [(set_name, "stepwise", 40, "stepwise")]
    # The set can be named instead of the run's solutions, with the same outcome.
    again = train_verifier(job(training_set=set_name), labelled.url, "run")
    assert again == folder
    assert len(labelled.files("models", run_id="run", stage="prm_training")) == 2


def test_a_checkpoint_is_found_in_a_store_that_was_moved(store, tmp_path):
    folder = store.root / "checkpoints" / "rest-1a2b"
    folder.mkdir(parents=True)
    assert find_checkpoint(store, "checkpoints/rest-1a2b") == str(folder)
    assert find_checkpoint(store, "/old/place/checkpoints/rest-1a2b") == str(folder)
    assert find_checkpoint(store, "/old/place/checkpoints/other") == "/old/place/checkpoints/other"
    assert find_checkpoint(store, str(tmp_path)) == str(tmp_path)
    assert find_checkpoint(store, "s3://bucket/checkpoints/x") == "s3://bucket/checkpoints/x"
