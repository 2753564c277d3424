"""The sampling parameters that a model's generation_config.json recommends."""

import json
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from schemas.config_errors import describe_errors
from schemas.engines import EngineConfig
from schemas.sampling_parameters import RECOMMENDED, SamplingParameters
from tasks.models.folders import resolve_model

Parameters = TypeVar("Parameters", bound=SamplingParameters)

_FILE = "generation_config.json"


def with_recommended(parameters: Parameters, engine: EngineConfig) -> Parameters:
    """The parameters with those that the model is to decide filled in, and `from_model` empty.

    What the model does not name stays as it is.

    Raises:
        ModelUnusable: the model does not exist.
        ValueError: the engine has no such file, or the file holds a value that is out of range.
    """
    if not parameters.from_model:
        return parameters
    folder = _settings_folder(engine)
    told = read_recommended(folder)
    found = {name: told[name] for name in parameters.from_model if name in told}
    try:
        return parameters.with_fields(from_model=(), **found)
    except ValidationError as error:
        words = describe_errors(error, type(parameters))
        raise ValueError(f"{folder / _FILE}: {words}") from error


def read_recommended(folder: Path) -> dict[str, Any]:
    """The parameters that a model folder names; none without a generation_config.json.

    Raises:
        ValueError: the file is not a JSON object.
    """
    file = folder / _FILE
    if not file.is_file():
        return {}
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file}: expected JSON, got something else: {error}") from error
    if not isinstance(stored, dict):
        raise ValueError(f"{file}: expected an object, got {type(stored).__name__}")
    told = {name: stored[name] for name in RECOMMENDED if stored.get(name) is not None}
    if told.get("top_k") == 0:  # transformers' word for all tokens
        del told["top_k"]
    return told


def _settings_folder(engine: EngineConfig) -> Path:
    """The folder whose recommendation counts for an engine."""
    if engine.type == "vllm":
        return resolve_model(engine.model, engine.revision)
    if engine.type == "openai" and engine.tokenizer is not None:
        return resolve_model(engine.tokenizer)
    advice = ": set policy.tokenizer to the model's folder" if engine.type == "openai" else ""
    raise ValueError(
        f"from_model: expected an engine with a model folder, got type {engine.type}{advice}"
    )
