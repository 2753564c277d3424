from pathlib import Path

import pytest

from schemas.prm_training import PrmTrainingConfig
from tasks.models.folders import check_model_folder
from tasks.prm_training.checkpoint import save_verifier
from tasks.training.models import load_base


@pytest.fixture
def save(toy_base, tmp_path: Path):
    model, tokenizer = load_base(str(toy_base), separator="\n")

    def run(**fields):
        return save_verifier(
            model=model,
            tokenizer=tokenizer,
            config=PrmTrainingConfig(base_model=str(toy_base), **fields),
            checkpoints_dir=tmp_path / "checkpoints",
            counts={"training_rows": 3},
            metrics={"step_auc": 0.91234},
        )

    return run


def test_an_untrained_verifier_is_undecided_and_keeps_its_body(toy_base):
    import torch
    from transformers import AutoModelForCausalLM

    model, tokenizer = load_base(str(toy_base), separator="\n")
    ids = torch.tensor([tokenizer("1 + 1 = 2\n")["input_ids"]])
    assert model(input_ids=ids).logits.softmax(-1).flatten().tolist() == [0.5] * 2 * ids.numel()
    base = AutoModelForCausalLM.from_pretrained(toy_base).get_parameter(
        "model.layers.0.mlp.up_proj.weight"
    )
    assert torch.equal(model.get_parameter("model.layers.0.mlp.up_proj.weight"), base)


def test_a_checkpoint_serves_as_a_verifier_with_its_separator_only(save):
    from schemas.errors import ModelUnusable

    model_id, folder = save(model_name="checker")
    assert folder.name == model_id
    check_model_folder(folder, "verifier", separator="\n")
    with pytest.raises(ModelUnusable, match="step separator"):
        check_model_folder(folder, "verifier", separator="\n\n")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "# checker" in card
    assert "| step_auc | 0.9123 |" in card


def test_equal_weights_are_saved_once(save):
    model_id, folder = save()
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert save(seed=5) == (model_id, folder)
    assert (folder / "README.md").read_text(encoding="utf-8") == card
    assert [path.name for path in folder.parent.iterdir()] == [model_id]
