"""A verifier's training that is killed resumes, and ends as an undisturbed one does."""

import multiprocessing
import os
import signal

import pytest


@pytest.mark.parametrize(
    "fields",
    [{}, {"early_stopping": {"every_steps": 7, "patience": 9}}],
    ids=["plain", "early-stopping"],
)
def test_a_training_killed_in_the_middle_ends_with_the_same_weights(
    prm_job, train, make_set, toy_rows, tmp_path, fields
):
    folder = make_set(toy_rows(60))
    job = prm_job(max_steps=30, save_every_steps=7, micro_batch_size=4, **fields)
    whole = train(job, set_folder=folder, work="whole")

    def die(report):
        if report["step"] == 21:
            os.kill(os.getpid(), signal.SIGKILL)

    # Forked: a new process would take longer to import than to train.
    process = multiprocessing.get_context("fork").Process(
        target=train,
        args=(job,),
        kwargs={"set_folder": folder, "work": "killed", "on_progress": die},
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    saved = tmp_path / "killed" / "checkpoints"
    assert sorted(path.name for path in saved.iterdir()) == ["checkpoint-14", "checkpoint-7"]

    steps = []
    again = train(
        job,
        set_folder=folder,
        work="killed",
        on_progress=lambda report: steps.append(report["step"]),
    )
    assert min(steps) > 14
    assert again.model_id == whole.model_id
    assert again.counts == whole.counts
    assert [point["loss"] for point in again.curve] == [point["loss"] for point in whole.curve]
