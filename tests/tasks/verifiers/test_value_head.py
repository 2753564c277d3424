"""A checkpoint with a value head, rewritten as a classifier."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from schemas.errors import ModelUnusable
from tasks.verifiers.value_head import as_classifier

HEAD = {
    "v_head.summary.weight": np.array([[1.0, 2.0, 3.0, 4.0]]),
    "v_head.summary.bias": np.array([5.0]),
}
BODY = {"model.norm.weight": np.ones(4)}
OUTPUT = {"lm_head.weight": np.zeros((8, 4))}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yield tmp_path / "cache"


def save(folder: Path, *shards: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text(
        json.dumps({"architectures": ["Qwen2ForPrmModel"], "auto_map": {"AutoModel": "m.M"}})
    )
    (folder / "tokenizer.json").write_text("{}")
    (folder / "modeling.py").write_text("raise SystemExit")
    for index, weights in enumerate(shards):
        save_file(weights, folder / f"model-{index}.safetensors")
    weight_map = {name: f"model-{i}.safetensors" for i, w in enumerate(shards) for name in w}
    if len(shards) > 1:
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return folder


def test_the_head_gets_a_classifiers_name_and_the_output_layer_goes(tmp_path: Path) -> None:
    source = save(tmp_path / "prm", {**BODY, **HEAD, **OUTPUT})
    folder = as_classifier(source, "prm-0")
    weights = load_file(folder / "model-0.safetensors")
    assert sorted(weights) == ["model.norm.weight", "score.bias", "score.weight"]
    assert weights["score.weight"].tolist() == HEAD["v_head.summary.weight"].tolist()
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForSequenceClassification"]
    assert len(config["id2label"]) == 1
    assert "auto_map" not in config
    assert not list(folder.glob("*.py"))
    assert sorted(load_file(source / "model-0.safetensors")) == sorted({**BODY, **HEAD, **OUTPUT})


def test_files_without_the_head_are_links_and_the_index_names_what_is_there(
    tmp_path: Path,
) -> None:
    source = save(tmp_path / "prm", BODY, {**HEAD, **OUTPUT})
    folder = as_classifier(source, "prm-0")
    assert (folder / "model-0.safetensors").resolve() == source / "model-0.safetensors"
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == {
        "model.norm.weight": "model-0.safetensors",
        "score.weight": "model-1.safetensors",
        "score.bias": "model-1.safetensors",
    }


def test_it_is_written_once_and_leaves_nothing_beside_it(tmp_path: Path, cache: Path) -> None:
    source = save(tmp_path / "prm", {**BODY, **HEAD})
    folder = as_classifier(source, "prm-0")
    written = (folder / "model-0.safetensors").stat().st_mtime_ns
    assert as_classifier(source, "prm-0") == folder
    assert (folder / "model-0.safetensors").stat().st_mtime_ns == written
    assert [path.name for path in (cache / "stepmill" / "classifiers").iterdir()] == ["prm-0"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (BODY, r"expected weights v_head\.summary\.weight, got none"),
        ({"v_head.summary.weight": np.ones((2, 4))}, r"one output, got \(2, 4\)"),
    ],
)
def test_a_value_head_must_be_there_and_have_one_output(
    tmp_path: Path, cache: Path, weights: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelUnusable, match=message):
        as_classifier(save(tmp_path / "prm", weights), "prm-0")
    assert not list((cache / "stepmill" / "classifiers").iterdir())
