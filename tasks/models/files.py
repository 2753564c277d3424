"""Which files of a model folder are accepted: weights in safetensors and settings, never code.

A folder may come from anyone. Pickled weights, a `*.py` file named by `auto_map`, an adapter that
names another model and an attention kernel from a hub would each run foreign code: the first are
refused or ignored, the second is never loaded, and the last two are refused. Links are followed,
since Hugging Face's cache consists of them: their targets are read as weights or settings, or
refused as neither.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from schemas.errors import ModelUnusable

_PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
FLOAT_TYPES = ("float64", "float32", "bfloat16", "float16")
"""Types in which weights are stored that are not quantized, by torch's names."""
_STORED_TYPES = {"F64": "float64", "F32": "float32", "BF16": "bfloat16", "F16": "float16"}
"""The same by the names of safetensors."""
_INDEX = "model.safetensors.index.json"
_ATTENTION_KEYS = ("attn_implementation", "_attn_implementation", "_attn_implementation_internal")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder by name.

    Raises:
        ModelUnusable: the folder has none, as pickled weights do not count; or one is no file.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickled = sorted(path.name for path in folder.glob("*") if path.suffix in _PICKLED)
        came = f"{', '.join(pickled)} (pickled weights run code and are refused)"
        raise ModelUnusable(
            f"model {folder}: expected weights in *.safetensors, got {came if pickled else 'none'}"
        )
    for file in files:
        if not file.is_file():  # reading a named pipe or a device would never end
            raise ModelUnusable(f"model {folder}: expected {file.name} to be a file, it is none")
    return files


def check_weights(folder: Path) -> None:
    """Refuse weights that are damaged, incomplete, or would be read from elsewhere.

    Raises:
        ModelUnusable: the message names the file.
    """
    from safetensors import SafetensorError, safe_open

    if (folder / "adapter_config.json").exists():
        raise ModelUnusable(
            f"model {folder}: expected whole weights, got an adapter (adapter_config.json): merge "
            "it into its base model first"
        )
    for file in weight_files(folder):
        try:
            # Opening reads the header and compares its offsets with the file's length.
            with safe_open(file, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            raise ModelUnusable(f"model {file}: not a whole safetensors file: {error}") from error
    if (folder / _INDEX).exists():
        _check_index(folder)


def check_settings(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a config.json that would have code fetched from elsewhere.

    Raises:
        ModelUnusable: the message names the setting.
    """
    parts = [config, *(value for value in config.values() if isinstance(value, dict))]
    for part in parts:
        for key in _ATTENTION_KEYS:
            # `owner/name`: a kernel that transformers would fetch and run.
            if "/" in json.dumps(part.get(key)):
                raise ModelUnusable(
                    f"model {folder}: config.json: expected {key} to be one that transformers has, "
                    f"got {part[key]!r}"
                )


def stored_dtype(folder: Path, config: Mapping[str, Any]) -> str | None:
    """The type of a model's weights.

    Args:
        folder: one that `check_weights` accepts.
        config: its config.json.

    Returns:
        One of `FLOAT_TYPES`: that of the config or its text part; where the config names none, the
        one that most of the stored values have. None if that is no such type, as in quantized
        weights.
    """
    text = config.get("text_config")
    for part in (config, text if isinstance(text, dict) else {}):
        named = part.get("dtype") or part.get("torch_dtype")
        if named in FLOAT_TYPES:
            return named
    from safetensors import safe_open

    num_values: Counter[str] = Counter()
    for file in weight_files(folder):
        with safe_open(file, framework="np") as tensors:
            for name in tensors.keys():  # noqa: SIM118 - it is no mapping
                tensor = tensors.get_slice(name)
                num_values[tensor.get_dtype()] += math.prod(tensor.get_shape())
    return _STORED_TYPES.get(max(num_values, key=num_values.__getitem__, default=""))


def count_parameters(folder: Path) -> int:
    """The number of values that a model's weights store, embeddings included; tied ones once.

    Raises:
        ModelUnusable: the folder has no weights, or a file of them is damaged.
    """
    from safetensors import SafetensorError, safe_open

    total = 0
    for file in weight_files(folder):
        try:
            with safe_open(file, framework="np") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - it is no mapping
                    total += math.prod(tensors.get_slice(name).get_shape())
        except (SafetensorError, OSError) as error:
            raise ModelUnusable(f"model {file}: not a whole safetensors file: {error}") from error
    return total


def _check_index(folder: Path) -> None:
    """Check that every file of the index is in the folder itself."""
    try:
        weight_map = json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"]
        names = sorted(set(weight_map.values()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnusable(f"model {folder}: {_INDEX} is not an index: {error!r}") from error
    for name in names:
        is_plain = isinstance(name, str) and PurePosixPath(name).name == name
        if not is_plain or not name.endswith(".safetensors"):
            raise ModelUnusable(
                f"model {folder}: {_INDEX}: expected names of *.safetensors files in the folder, "
                f"got {name!r}"
            )
        if not (folder / name).is_file():
            raise ModelUnusable(f"model {folder}: {_INDEX} names {name}, which does not exist")
