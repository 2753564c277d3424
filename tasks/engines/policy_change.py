"""Another checkpoint of the policy in an engine that keeps running.

A loop that trains a policy has new weights of the same shape each round, and opening new engines
takes seconds to minutes. Here only the weights are exchanged, so everything else about the two
checkpoints must be equal, and the new one must contain a probe (see `probe`), which shows
afterwards whether the engine serves it.
"""

import json
from pathlib import Path
from typing import Any

from schemas.engines import EngineConfig, VLLMConfig
from schemas.errors import EngineFailed
from tasks.engines.probe import check_logprobs, read_probe, tolerance_nats
from tasks.engines.vllm_engine import VLLMEngine
from tasks.models.folders import (
    identify_model,
    load_tokenizer,
    resolve_model,
    tokenizer_fingerprint,
)

_NO_SHAPE = ("_name_or_path", "transformers_version", "use_cache")
"""Settings that an engine does not read."""


def is_exchangeable(old: EngineConfig | None, new: EngineConfig) -> bool:
    """Whether an engine opened with one config can be given the weights of the other.

    vLLM must run both in the same way, their folders must have equal settings and tokenizers, and
    the new one must contain a probe.

    Raises:
        ModelUnusable: the model does not exist, or its probe cannot be read.
    """
    if not isinstance(old, VLLMConfig) or not isinstance(new, VLLMConfig):
        return False
    if old.lora is not None or new.lora is not None:
        return False
    if old.with_fields(model=new.model, revision=new.revision) != new:
        return False
    folder = resolve_model(new.model, new.revision)
    if read_probe(folder) is None:
        return False
    before = resolve_model(old.model, old.revision)
    try:
        has_settings = _settings(before) == _settings(folder)
    except (ValueError, OSError):  # an architecture that transformers does not have
        return False
    return has_settings and _reading(before) == _reading(folder)


async def give_checkpoint(engine: VLLMEngine, policy: VLLMConfig) -> None:
    """Have an engine serve another checkpoint under that one's name, and check that it does.

    Raises:
        ModelUnusable: the policy does not exist, or contains no probe.
        ValueError: requests are in flight.
        EngineFailed: the engine does not serve it, and may be unusable.
    """
    folder = resolve_model(policy.model, policy.revision)
    probe = read_probe(folder)
    if probe is None:
        raise ValueError(f"policy {policy.model}: expected a checkpoint with a probe, got none")
    model_id = identify_model(policy.model, policy.revision)
    before = await engine.token_logprobs(probe.token_ids)
    await engine.update_weights(folder)
    after = await engine.token_logprobs(probe.token_ids)
    if after == before and model_id != engine.model_id:
        # In half precision two checkpoints may differ by less than the tolerance, but never by 0.
        raise EngineFailed(f"engine {engine.name}: {folder} changed nothing of what it computes")
    tolerance = tolerance_nats(policy, folder)
    check_logprobs(engine.name, probe.logprobs, after, tolerance=tolerance)
    engine.model_id = model_id


def _settings(folder: Path) -> dict[str, Any]:
    """The settings an engine builds the model from, and those that end its texts.

    They are read by transformers, which fills in what a file omits and renames old settings.
    """
    from transformers import AutoConfig

    settings = AutoConfig.from_pretrained(folder, trust_remote_code=False).to_dict()
    for name in _NO_SHAPE:
        settings.pop(name, None)
    generation = folder / "generation_config.json"
    if generation.is_file():
        stored = json.loads(generation.read_text(encoding="utf-8"))
        settings["ends"] = stored.get("eos_token_id")
    return settings


def _reading(folder: Path) -> tuple[str, int]:
    """The files an engine reads and writes text with."""
    tokenizer = load_tokenizer(folder)
    return tokenizer_fingerprint(tokenizer), tokenizer.model_max_length
