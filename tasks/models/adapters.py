"""LoRA adapters of a served policy: folders in PEFT's format, never code or pickled weights."""

import json
from dataclasses import dataclass
from pathlib import Path

from schemas.engines import VLLMConfig
from schemas.errors import ModelUnusable
from tasks.models.files import weight_files
from tasks.models.folders import hash_files, identify_model, resolve_model

_SETTINGS = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class Adapter:
    """A LoRA adapter that was found to be one."""

    folder: Path
    rank: int
    """The highest rank of its matrices."""


def find_adapter(path: str) -> Adapter:
    """The adapter in a folder, an `s3://` address or a Hugging Face id.

    Raises:
        ModelUnusable: there is none, or none of LoRA's kind with weights in safetensors.
    """
    folder = resolve_model(path)
    file = folder / _SETTINGS
    if not file.is_file():
        raise ModelUnusable(f"lora {folder}: expected an adapter with {_SETTINGS}, got none")
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
        kind, patterns = settings["peft_type"], settings.get("rank_pattern") or {}
        rank = max(map(int, [settings["r"], *patterns.values()]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelUnusable(f"lora {file}: expected PEFT's settings, got {error!r}") from error
    if kind != "LORA":
        raise ModelUnusable(f"lora {file}: expected peft_type LORA, got {kind!r}")
    weight_files(folder)
    return Adapter(folder, rank)


def identify_served(config: VLLMConfig) -> str:
    """Name what an engine serves by its content: the model, then `--<adapter>-<ten hex digits>`.

    Raises:
        ModelUnusable: the model or the adapter does not exist.
    """
    model_id = identify_model(config.model, config.revision)
    if config.lora is None:
        return model_id
    folder = find_adapter(config.lora).folder
    suffix = f"-{hash_files([folder / _SETTINGS, *weight_files(folder)])[:10]}"
    return f"{model_id}--{folder.name.removesuffix(suffix)}{suffix}"
