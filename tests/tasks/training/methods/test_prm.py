import json
from pathlib import Path

import pytest
import torch

from schemas.errors import ModelUnusable
from tasks.models.folders import check_model_folder
from tasks.training.common import TrainingDiverged
from tasks.training.measure import score_rows
from tasks.training.methods.prm import PrmTrainer
from tasks.training.rows import RowEncoder


@pytest.fixture
def train_prm(train, make_set, toy_rows):
    def run(job, rows=None, **options):
        folder = make_set(toy_rows(120) if rows is None else rows, "toy-set")
        return train(job, set_folder=folder, **options)

    return run


def test_a_verifier_learns_which_steps_are_right(prm_job, train_prm, toy_rows, toy_tokenizer):
    from transformers import AutoModelForTokenClassification

    reports = []
    trained = train_prm(prm_job(), on_progress=reports.append)

    assert trained.metrics["step_auc"] > 0.95
    assert trained.metrics["step_accuracy"] > 0.9
    assert trained.metrics["heldout_loss"] < 0.4
    assert 0 <= trained.metrics["step_ece"] < 0.3
    assert trained.counts["training_rows"] + trained.counts["heldout_rows"] == 120
    assert trained.counts["steps"] == 60
    assert [r["step"] for r in reports] == [1, 10, 20, 30, 40, 50, 60]
    assert reports[-1]["loss"] < reports[0]["loss"]
    assert reports[-1]["tokens"] == trained.counts["tokens"] > 60 * 8 * 10

    folder = Path(trained.path)
    assert folder.name == trained.model_id
    assert trained.model_id.startswith("toy-")
    assert {f.suffix for f in folder.iterdir()} <= {".json", ".safetensors", ".md"}
    stored = json.loads((folder / "config.json").read_text())
    assert stored["step_separator"] == "\n"
    assert stored["id2label"] == {"0": "wrong", "1": "right"}
    assert stored["architectures"] == ["LlamaForTokenClassification"]
    assert "step_auc" in (folder / "README.md").read_text()
    assert list(folder.parent.glob(".*")) == []

    loaded = AutoModelForTokenClassification.from_pretrained(folder)
    encode = RowEncoder(toy_tokenizer, has_chat_template=False)
    rows = [PrmTrainer.encode_row(encode, row, prm_job()) for row in toy_rows(20)]
    scores = score_rows(loaded, rows)
    assert all(
        (score > 0.5) == (label == 1)
        for row, row_scores in zip(rows, scores, strict=True)
        for score, label in zip(row_scores, row["labels"], strict=True)
    )
    one = loaded(input_ids=torch.tensor([rows[3]["input_ids"]])).logits.softmax(-1)[0, :, 1]
    assert scores[3] == pytest.approx(one[rows[3]["positions"]].tolist(), abs=1e-5)


def test_equal_seeds_give_equal_weights(prm_job, train_prm):
    job = prm_job(max_steps=12)
    first, again = train_prm(job, work="first"), train_prm(job, work="again")
    other = train_prm(prm_job(max_steps=12, seed=1), work="other")
    assert (first.model_id, first.counts) == (again.model_id, again.counts)
    assert first.model_id != other.model_id


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adamw", "hidden_lr": 0.01},
        {"targets": "soft"},
        {"micro_batch_size": 2},
        {"early_stopping": {"every_steps": 10, "patience": 5}},
        {"optimizer": "adamw", "hidden_lr": 0.005, "max_steps": 150, "lora": {"rank": 8}},
    ],
    ids=["adamw", "soft", "micro", "early-stopping", "lora"],
)
def test_other_recipes_learn_too(prm_job, train_prm, fields):
    trained = train_prm(prm_job(**fields))
    assert trained.metrics["step_auc"] > 0.9
    check_model_folder(trained.path, "verifier", separator="\n")


def test_early_stopping_ends_on_a_plateau_with_the_best_weights(prm_job, train_prm):
    """A rate that overshoots: the held-out loss falls at first, then rises."""
    stopping = {"every_steps": 5, "patience": 2}
    fields = {"optimizer": "adamw", "decay_fraction": 0.0, "warmup_steps": 0, "max_steps": 200}
    trained = train_prm(
        prm_job(early_stopping=stopping, hidden_lr=0.05, head_lr=0.05, **fields), work="stopped"
    )
    stopped_at = trained.counts["steps"]
    assert stopped_at < 200
    assert stopped_at % 5 == 0
    whole = {
        steps: train_prm(
            prm_job(hidden_lr=0.05, head_lr=0.05, **{**fields, "max_steps": steps}),
            work=f"until-{steps}",
        )
        for steps in range(5, stopped_at + 1, 5)
    }
    losses = {steps: each.metrics["heldout_loss"] for steps, each in whole.items()}
    best = min(losses, key=losses.__getitem__)
    assert stopped_at == best + 10
    assert trained.model_id == whole[best].model_id


def test_a_training_that_diverges_says_so_and_saves_nothing(prm_job, train_prm, tmp_path):
    with pytest.raises(TrainingDiverged, match="diverged"):
        train_prm(prm_job(optimizer="adamw", hidden_lr=1e20, head_lr=1e20))
    assert not list(tmp_path.glob("checkpoints/*"))


def test_rows_longer_than_the_model_are_dropped_and_counted(
    prm_job, train_prm, toy_rows, stepwise_row
):
    long = stepwise_row(["1"], [True], prompt="1" * 70, problem_id="long")
    trained = train_prm(prm_job(max_steps=1, max_length=1024), [*toy_rows(20), long])
    assert trained.counts["too_long"] == 1
    assert trained.counts["training_rows"] + trained.counts["heldout_rows"] == 20
    with pytest.raises(ValueError, match="at most 64 tokens, all 1 are longer"):
        train_prm(prm_job(eval_fraction=0), [long], work="long")


def test_labels_of_one_kind_are_refused(prm_job, train_prm, stepwise_row):
    with pytest.raises(ValueError, match="got 1 labels that all are 1"):
        train_prm(prm_job(eval_fraction=0), [stepwise_row(["1"], [True])])
    with pytest.raises(ValueError, match="expected labelled steps to train on, got none"):
        train_prm(prm_job(), [stepwise_row(["1"], [None], correct=True)], work="none")


def test_a_separator_the_base_cannot_write_is_refused(prm_job, train_prm):
    with pytest.raises(ModelUnusable, match="separator 'ки'"):
        train_prm(prm_job(separator="ки"))


def test_a_base_that_is_no_language_model_is_refused(prm_job, train_prm, tmp_path):
    with pytest.raises(ModelUnusable, match="expected a folder in Hugging Face format"):
        train_prm(prm_job(base_model=str(tmp_path / "nothing")))
    verifier = train_prm(prm_job(max_steps=1), work="one").path
    with pytest.raises(ModelUnusable, match="expected an architecture that ends in ForCausalLM"):
        train_prm(prm_job(base_model=verifier), work="two")


@pytest.mark.slow
@pytest.mark.ray
def test_two_workers_share_each_batch_and_learn_the_same(prm_job, train_prm, local_ray):
    trained = train_prm(prm_job(num_workers=2, max_steps=40), cpus_per_worker=0.5)
    assert trained.metrics["step_auc"] > 0.95
    assert trained.counts["steps"] == 40
