import pytest

from tasks.models.folders import check_model_folder


def test_chosen_completions_gain_on_rejected_ones(make_set, make_job, train, pairs):
    job = make_job(make_set(pairs), "dpo", max_steps=11, hidden_lr=5e-3)
    trained = train(job)
    first, last = trained.curve[0], trained.curve[-1]
    assert first["loss"] == pytest.approx(0.693147, abs=1e-3)
    assert first["rewards/margins"] == pytest.approx(0.0, abs=1e-3)
    assert last["rewards/margins"] > 0.5
    assert last["rewards/accuracies"] == 1.0
    assert last["loss"] < first["loss"]
    assert trained.counts["tokens"] > 11 * 8 * 30


def test_the_reference_of_low_rank_additions_is_the_policy_without_them(
    make_set, make_job, train, pairs
):
    adamw = {"optimizer": "adamw", "hidden_lr": 1e-2, "max_steps": 11}
    job = make_job(make_set(pairs), "dpo", lora={"rank": 4}, sft_weight=0.2, **adamw)
    trained = train(job)
    assert trained.curve[0]["rewards/margins"] == pytest.approx(0.0, abs=1e-3)
    assert trained.curve[-1]["rewards/margins"] > 0.5
    check_model_folder(trained.path, "policy")


def test_what_is_no_whole_solution_gets_no_end_of_text(make_set, make_job, train, pairs):
    """Each of 3 x 4 pairs is two texts, each one token longer where it is whole."""
    recipe = {"max_steps": 3, "batch_size": 4}
    whole = train(make_job(make_set(pairs, "whole"), "dpo", **recipe), work="whole")
    steps = make_set(pairs, "steps", ends_with_text=False)
    of_steps = train(make_job(steps, "dpo", **recipe), work="steps")
    assert whole.counts["tokens"] - of_steps.counts["tokens"] == 3 * 4 * 2
    assert whole.model_id != of_steps.model_id
