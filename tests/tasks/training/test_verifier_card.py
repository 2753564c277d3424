"""The folder of a trained verifier."""

from pathlib import Path

import pytest

from schemas.errors import ModelUnusable
from tasks.models.folders import check_model_folder
from tasks.training.card import save_model
from tasks.training.models import load_base
from tasks.training.sets import read_set


@pytest.fixture
def save(prm_job, make_set, toy_rows, tmp_path: Path):
    training_set = read_set(make_set(toy_rows(3), method="monte_carlo[n=8]"))

    def run(**fields):
        job = prm_job(**fields)
        base = load_base(job)
        return save_model(
            base.model,
            base.tokenizer,
            job,
            training_set=training_set,
            checkpoints_dir=tmp_path / "checkpoints",
            counts={"training_rows": 3},
            metrics={"step_auc": 0.91234},
        )

    return run


def test_an_untrained_verifier_is_undecided_and_keeps_its_body(prm_job, toy_base):
    import torch
    from transformers import AutoModelForCausalLM

    base = load_base(prm_job())
    ids = torch.tensor([base.tokenizer("1 + 1 = 2\n")["input_ids"]])
    scores = base.model(input_ids=ids).logits.softmax(-1).flatten().tolist()
    assert scores == [0.5] * 2 * ids.numel()
    name = "model.layers.0.mlp.up_proj.weight"
    body = AutoModelForCausalLM.from_pretrained(toy_base).get_parameter(name)
    assert torch.equal(base.model.get_parameter(name), body)


def test_a_checkpoint_serves_as_a_verifier_with_its_separator_only(save):
    model_id, folder = save(model_name="checker")
    assert folder.name == model_id
    check_model_folder(folder, "verifier", separator="\n")
    with pytest.raises(ModelUnusable, match="step separator"):
        check_model_folder(folder, "verifier", separator="\n\n")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "# checker: a verifier trained by prm" in card
    assert "| step_auc | 0.9123 |" in card
    assert "`monte_carlo[n=8]`" in card
    assert "`made-up`, 3 training rows" in card


def test_a_checkpoint_serves_as_a_verifier_with_its_rule_only(prm_job, toy_base):
    rule = {"steps": {"min_chars": 80, "starts": ["Wait", "So"]}, "thinking": {}}
    prompt = prm_job().prompt.with_fields(**rule)
    model = load_base(prm_job().with_fields(prompt=prompt)).model
    assert model.config.step_rule == {
        "min_chars": 80,
        "starts": ["Wait", "So"],
        "thought_end": "</think>",
    }
    assert not hasattr(load_base(prm_job()).model.config, "step_rule")


def test_equal_weights_are_saved_once(save):
    model_id, folder = save()
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert save(seed=5) == (model_id, folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == card
    assert [path.name for path in folder.parent.iterdir()] == [model_id]
