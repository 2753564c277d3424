import json
from pathlib import Path

import pytest
import torch

from schemas.errors import ModelUnusable
from schemas.prm_training import PrmTrainingConfig
from tasks.prm_training.examples import StepExample, write_examples
from tasks.prm_training.measure import score_rows
from tasks.prm_training.token_rows import encode_examples
from tasks.prm_training.train import train_verifier
from tasks.training.common import TrainingDiverged


@pytest.fixture
def recipe(toy_base):
    def make(**fields):
        values = {
            "base_model": str(toy_base),
            "model_name": "toy",
            "eval_fraction": 0.3,
            "optimizer": "muon",
            "hidden_lr": 0.02,
            "head_lr": 0.02,
            "warmup_steps": 5,
            "batch_size": 8,
            "max_steps": 60,
            "num_workers": 0,
        }
        return PrmTrainingConfig(**{**values, **fields})

    return make


@pytest.fixture
def train(tmp_path: Path, toy_examples):
    def run(config, examples=None, **options):
        path = tmp_path / "examples.parquet"
        write_examples(path, toy_examples(120) if examples is None else examples)
        return train_verifier(
            config,
            path,
            checkpoints_dir=tmp_path / "checkpoints",
            work_dir=tmp_path / "work",
            **options,
        )

    return run


def test_a_verifier_learns_which_steps_are_right(recipe, train, toy_examples, toy_tokenizer):
    from transformers import AutoModelForTokenClassification, AutoTokenizer

    reports = []
    trained = train(recipe(), on_progress=reports.append)

    assert trained.metrics["step_auc"] > 0.95
    assert trained.metrics["step_accuracy"] > 0.9
    assert trained.metrics["heldout_loss"] < 0.4
    assert 0 <= trained.metrics["step_ece"] < 0.3
    assert trained.counts["training_rows"] + trained.counts["heldout_rows"] == 120
    assert trained.counts["steps"] == 60
    assert [r["step"] for r in reports] == [10, 20, 30, 40, 50, 60]
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
    rows, _ = encode_examples(
        toy_examples(20), AutoTokenizer.from_pretrained(folder), separator="\n", max_length=64
    )
    scores = score_rows(loaded, rows)
    assert all(
        (score > 0.5) == (label == 1)
        for row, row_scores in zip(rows, scores, strict=True)
        for score, label in zip(row_scores, row.labels, strict=True)
    )
    one = loaded(input_ids=torch.tensor([rows[3].token_ids])).logits.softmax(-1)[0, :, 1]
    assert scores[3] == pytest.approx(one[list(rows[3].positions)].tolist(), abs=1e-5)


def test_equal_seeds_give_equal_weights(recipe, train):
    config = recipe(max_steps=12)
    first, again, other = train(config), train(config), train(config.with_fields(seed=1))
    assert first == again
    assert first.model_id != other.model_id


@pytest.mark.parametrize(
    "fields",
    [
        {"optimizer": "adamw", "hidden_lr": 0.01},
        {"targets": "soft"},
        {"micro_batch_size": 2},
        {"early_stopping": {"every_steps": 10, "patience": 5}},
    ],
)
def test_other_recipes_learn_too(recipe, train, fields):
    assert train(recipe(**fields)).metrics["step_auc"] > 0.9


def test_a_training_that_diverges_says_so_and_saves_nothing(recipe, train, tmp_path):
    with pytest.raises(TrainingDiverged, match="diverged by step"):
        train(recipe(optimizer="adamw", hidden_lr=1e20, head_lr=1e20))
    assert not list(tmp_path.glob("checkpoints/*"))


def test_rows_longer_than_the_model_are_dropped_and_counted(recipe, train, toy_examples):
    long = StepExample(
        trajectory_id="long",
        problem_id="long",
        prompt="1" * 70,
        steps=("1",),
        labels=(1.0,),
    )
    trained = train(recipe(max_steps=1, max_length=1024), [*toy_examples(20), long])
    assert trained.counts["too_long"] == 1
    assert trained.counts["training_rows"] + trained.counts["heldout_rows"] == 20
    with pytest.raises(ValueError, match="at most 64 tokens, all 1 are longer"):
        train(recipe(eval_fraction=0), [long])


def test_labels_of_one_kind_are_refused(recipe, train):
    right = StepExample(trajectory_id="t", problem_id="p", prompt="1", steps=("1",), labels=(1.0,))
    with pytest.raises(ValueError, match="got 1 labels that all say 1"):
        train(recipe(), [right])


def test_no_examples_are_refused(recipe, train):
    with pytest.raises(ValueError, match="expected examples to train on, got none"):
        train(recipe(), [])


def test_a_separator_the_base_cannot_write_is_refused(recipe, train):
    with pytest.raises(ModelUnusable, match="separator 'ки'"):
        train(recipe(separator="ки"))


def test_a_base_that_is_no_language_model_is_refused(recipe, train, tmp_path):
    with pytest.raises(ModelUnusable, match="expected a folder in Hugging Face format"):
        train(recipe(base_model=str(tmp_path / "nothing")))
    verifier = train(recipe(max_steps=1)).path
    with pytest.raises(ModelUnusable, match="expected an architecture that ends in ForCausalLM"):
        train(recipe(base_model=verifier))


@pytest.mark.slow
@pytest.mark.ray
def test_ray_train_gives_the_weights_of_the_plain_run(recipe, train, local_ray):
    reports = []
    plain = train(recipe(max_steps=12))
    rayed = train(recipe(max_steps=12, num_workers=1), on_progress=reports.append)
    assert rayed == plain
    assert [r["step"] for r in reports] == [10]


@pytest.mark.slow
@pytest.mark.ray
def test_two_workers_share_each_batch_and_learn_the_same(recipe, train, local_ray):
    trained = train(recipe(num_workers=2, max_steps=40), cpus_per_worker=0.5)
    assert trained.metrics["step_auc"] > 0.95
    assert trained.counts["steps"] == 40
