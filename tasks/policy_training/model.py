"""The policy that is trained: loaded, given low-rank additions if asked, and whole again after."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.engines import VLLMConfig
from schemas.errors import ModelUnusable
from schemas.policy_training import LoraConfig, MethodConfig
from tasks.models.folders import check_model_folder, load_tokenizer, resolve_model


@dataclass(frozen=True, slots=True)
class BasePolicy:
    """The policy that training starts from."""

    folder: Path
    model: Any
    """Float32 whatever the folder holds; with low-rank additions where the method asks for them."""
    tokenizer: Any
    stored_dtype: Any
    """The type of the folder's weights, in which the trained ones are saved."""


def load_policy(config: VLLMConfig, method: MethodConfig) -> BasePolicy:
    """Load a causal language model for training.

    Raises:
        ModelUnusable: it is none, or transformers does not have its architecture.
    """
    folder = resolve_model(config.model, config.revision)
    settings = check_model_folder(folder, "policy")
    tokenizer = load_tokenizer(folder)
    model = load_weights(folder)
    if method.lora is not None:
        model = _add_lora(model, method.lora)
    stored = settings.get("dtype") or settings.get("torch_dtype") or "float32"
    return BasePolicy(folder, model, tokenizer, stored)


def load_weights(folder: Path) -> Any:
    """A folder's causal language model in float32.

    Raises:
        ModelUnusable: transformers does not have its architecture.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, use_safetensors=True, trust_remote_code=False
        )
    except (ValueError, OSError) as error:
        raise ModelUnusable(
            f"policy {folder}: expected an architecture that transformers has: {error}"
        ) from error


def max_positions(model: Any) -> int | None:
    """The longest text the model was made for, in tokens; None where it does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def merged(model: Any, stored_dtype: str) -> Any:
    """The trained model as one to save: additions merged in, in the type it was stored in."""
    import torch

    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    return whole.to(getattr(torch, stored_dtype))


def write_weights(model: Any, folder: Path) -> None:
    """Write a model in training as a folder to serve, and leave the model as it is."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    base.save_pretrained(folder, state_dict=_whole_state(model))


def _add_lora(model: Any, config: LoraConfig) -> Any:
    import peft

    modules = config.target_modules
    try:
        return peft.get_peft_model(
            model,
            peft.LoraConfig(
                r=config.rank,
                lora_alpha=config.alpha,  # type: ignore[arg-type]
                lora_dropout=0.0,
                target_modules=modules if isinstance(modules, str) else list(modules),
                task_type="CAUSAL_LM",
            ),
        )
    except ValueError as error:
        raise ValueError(f"lora.target_modules: {error}") from error


def _whole_state(model: Any) -> dict[str, Any]:
    """The weights by the names of the base model, low-rank additions added to what they add to."""
    import torch

    if not hasattr(model, "get_base_model"):
        return model.state_dict()
    from peft.tuners.lora import LoraLayer

    base = model.get_base_model()
    layers: list[tuple[str, Any]] = [
        (name, module) for name, module in base.named_modules() if isinstance(module, LoraLayer)
    ]
    additions = {f"{name}.weight": layer.get_delta_weight("default") for name, layer in layers}
    state = {}
    with torch.no_grad():
        for name, weight in base.state_dict().items():
            if ".lora_" in name:
                continue
            plain = name.replace(".base_layer.", ".")
            state[plain] = weight + additions[plain] if plain in additions else weight
    return state
