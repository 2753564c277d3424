"""The same training in this process, in one worker of Ray Train, and in two."""

import pytest

from schemas.errors import ModelUnusable


@pytest.mark.slow
@pytest.mark.ray
def test_ray_train_gives_the_weights_of_the_plain_run(
    make_set, make_job, train, odd_rows, local_ray
):
    folder, recipe = make_set(odd_rows), {"max_steps": 12}
    plain = train(make_job(folder, **recipe), work="plain")
    reports = []
    rayed = train(make_job(folder, num_workers=1, **recipe), on_progress=reports.append)
    assert rayed.model_id == plain.model_id
    assert rayed.counts == plain.counts
    assert [report["step"] for report in reports] == [1, 10]


@pytest.mark.slow
@pytest.mark.ray
def test_two_workers_share_each_batch(make_set, make_job, train, odd_rows, local_ray):
    folder, recipe = make_set(odd_rows), {"max_steps": 10, "batch_size": 8}
    plain = train(make_job(folder, **recipe), work="plain")
    shared = train(make_job(folder, num_workers=2, **recipe), cpus_per_worker=0.5)
    assert shared.counts == plain.counts
    first, last = (each.curve[0] for each in (plain, shared))
    assert (last["loss"], last["grad_norm"]) == pytest.approx(
        (first["loss"], first["grad_norm"]), rel=1e-2
    )


def test_a_policy_of_another_kind_is_refused(make_set, make_job, train, odd_rows, tmp_path):
    folder = make_set(odd_rows)
    with pytest.raises(ModelUnusable, match="expected a folder in Hugging Face format"):
        train(make_job(folder).with_fields(policy={"model": str(tmp_path / "nothing")}))
    told = make_set(odd_rows, "told", tokenizer="another", policy="writer")
    with pytest.raises(ModelUnusable, match="expected the tokenizer of writer"):
        train(make_job(told))
