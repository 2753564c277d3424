"""A language model with a value head (TRL's), as a classifier with one label.

Skywork-o1-Open-PRM stores its head as `v_head.summary`. `*ForSequenceClassification`, which every
engine can load, has the same linear head on the last hidden state under another name. The converted
copy is in the user's cache, under a name made from the weights; unchanged files are links.
"""

import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

from schemas.errors import ModelUnusable
from tasks.models.files import weight_files

VALUE_HEAD_ARCHITECTURE = "ForPrmModel"
"""What the architecture's name of a language model with a value head ends with."""

_CLASSIFIER_ARCHITECTURE = "ForSequenceClassification"
_HEAD = {"v_head.summary.weight": "score.weight", "v_head.summary.bias": "score.bias"}
_OUTPUT_LAYER = "lm_head."
_INDEX = "model.safetensors.index.json"
_COPIED = ("*.json", "*.model", "*.txt", "*.jinja")


def as_classifier(folder: Path, model_id: str) -> Path:
    """The folder of the same model as a sequence classifier, written unless it exists.

    Raises:
        ModelUnusable: the model has no value head with one output.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stepmill"
    target = cache / "classifiers" / model_id
    if target.is_dir():
        return target
    building = target.parent / f".{target.name}.{uuid.uuid4().hex}"
    building.mkdir(parents=True)
    try:
        _write_classifier(folder, building)
        try:
            building.rename(target)
        except OSError:  # another process was faster; anything else is a real failure
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return target


def _write_classifier(folder: Path, building: Path) -> None:
    from safetensors import safe_open

    for pattern in _COPIED:
        for file in folder.glob(pattern):
            shutil.copyfile(file, building / file.name)
    found: list[str] = []
    file_of: dict[str, str] = {}
    for file in weight_files(folder):
        with safe_open(file, framework="np") as stream:
            names = list(stream.keys())
        found += [name for name in names if name in _HEAD]
        kept = [_HEAD.get(name) or name for name in names if not name.startswith(_OUTPUT_LAYER)]
        file_of |= {name: file.name for name in kept}
        if kept == names:
            (building / file.name).symlink_to(file.resolve())
        else:
            _rename_head(file, building / file.name)
    if "v_head.summary.weight" not in found:
        raise ModelUnusable(f"verifier {folder}: expected weights v_head.summary.weight, got none")
    if (building / _INDEX).exists():
        (building / _INDEX).write_text(json.dumps({"metadata": {}, "weight_map": file_of}))
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["architectures"] = [
        str(name).replace(VALUE_HEAD_ARCHITECTURE, _CLASSIFIER_ARCHITECTURE)
        for name in config["architectures"]
    ]
    config |= {"num_labels": 1, "id2label": {"0": "right"}, "label2id": {"right": 0}}
    config.pop("auto_map", None)
    (building / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")


def _rename_head(file: Path, target: Path) -> None:
    """A weight file without the output layer, its value head under a classifier's names."""
    from safetensors.torch import load_file, save_file

    weights = {
        _HEAD.get(name, name): tensor
        for name, tensor in load_file(file).items()
        if not name.startswith(_OUTPUT_LAYER)
    }
    head = weights.get("score.weight")
    if head is not None and (head.ndim != 2 or head.shape[0] != 1):
        raise ModelUnusable(
            f"verifier {file}: expected a value head of one output, got {tuple(head.shape)}"
        )
    save_file(weights, target, metadata={"format": "pt"})
