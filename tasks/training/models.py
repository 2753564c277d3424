"""The model in training: loaded for its role, with low-rank adapters on demand, merged at the end.

A policy is a causal language model. A verifier is its body with a new score layer of two labels,
which starts at zero and so predicts 0.5 everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from schemas.steps import StepRule
from schemas.training.recipe import LoraConfig, TrainingJob
from tasks.models.folders import (
    RULE_KEY,
    SEPARATOR_KEY,
    check_model_folder,
    load_tokenizer,
    resolve_model,
)

LABELS = {0: "wrong", 1: "right"}
"""What the two outputs of a verifier's score layer mean."""
_HEAD = "score"


@dataclass(frozen=True, slots=True)
class BaseModel:
    """The model that training starts from."""

    folder: Path
    model: Any
    """In float32 whatever the folder's type; with low-rank adapters where the method has them."""
    tokenizer: Any
    stored_dtype: str
    """The type in which the trained weights are saved."""


def load_base(job: TrainingJob) -> BaseModel:
    """Load the model of a job for training.

    Raises:
        ModelUnusable: it is not a causal language model, or transformers lacks its architecture.
    """
    name, revision = job.base
    folder = resolve_model(name, revision)
    settings = check_model_folder(folder, "policy")
    tokenizer = load_tokenizer(folder)
    role = job.recipe.role
    model = _LOADERS[role](folder, job.prompt.step_rule)
    if job.recipe.lora is not None:
        model = _add_lora(model, job.recipe.lora, role)
    stored = settings.get("dtype") or settings.get("torch_dtype") or "float32"
    # A score layer is small and new: rounding it would cost ranking quality and save nothing.
    return BaseModel(folder, model, tokenizer, stored if role == "policy" else "float32")


def load_weights(folder: Path) -> Any:
    """The causal language model of a folder, in float32.

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


def load_verifier(folder: Path, rule: StepRule) -> Any:
    """The untrained verifier on a folder's language model, in float32.

    Args:
        folder: of a causal language model.
        rule: what ends a step, stored in the model's config, so that serving can compare it.

    Raises:
        ModelUnusable: the architecture has no token-classification form.
    """
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    try:
        config = AutoConfig.from_pretrained(
            folder,
            num_labels=len(LABELS),
            id2label=LABELS,
            label2id={name: index for index, name in LABELS.items()},
            trust_remote_code=False,
        )
    except (ValueError, OSError) as error:
        raise ModelUnusable(
            f"base model {folder}: expected an architecture that transformers has: {error}"
        ) from error
    config.classifier_dropout = 0.0
    setattr(config, SEPARATOR_KEY, rule.separator)
    if rule.additions:
        setattr(config, RULE_KEY, rule.additions)
    try:
        model = AutoModelForTokenClassification.from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
        )
    except ValueError as error:
        raise ModelUnusable(
            f"base model {folder}: expected an architecture with a token-classification form, "
            f"got {config.architectures}: {error}"
        ) from error
    head = getattr(model, _HEAD, None)
    if not isinstance(head, torch.nn.Linear):
        raise ModelUnusable(
            f"base model {folder}: expected {type(model).__name__} to read its tokens by a "
            f"linear layer named `{_HEAD}`, as decoder-only models do"
        )
    torch.nn.init.zeros_(head.weight)
    if head.bias is not None:
        torch.nn.init.zeros_(head.bias)
    return model


def max_positions(model: Any) -> int | None:
    """The longest text the model was made for, in tokens; None where its config does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def merged(model: Any, stored_dtype: str) -> Any:
    """The trained model ready to save: adapters merged, in the type to store it in."""
    import torch

    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    return whole.to(getattr(torch, stored_dtype))


def write_weights(model: Any, folder: Path) -> None:
    """Write a model in training as a folder that can be served; the model is unchanged."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    base.save_pretrained(folder, state_dict=_whole_state(model))


def _add_lora(model: Any, config: LoraConfig, role: ModelRole) -> Any:
    import peft

    modules = config.target_modules
    is_policy = role == "policy"
    try:
        return peft.get_peft_model(
            model,
            peft.LoraConfig(
                r=config.rank,
                lora_alpha=config.alpha,  # type: ignore[arg-type]
                lora_dropout=0.0,
                target_modules=modules if isinstance(modules, str) else list(modules),
                # A new score layer is trained directly, without an adapter.
                exclude_modules=None if is_policy else [_HEAD],
                modules_to_save=None if is_policy else [_HEAD],
                task_type="CAUSAL_LM" if is_policy else "TOKEN_CLS",
            ),
        )
    except ValueError as error:
        raise ValueError(f"lora.target_modules: {error}") from error


def _whole_state(model: Any) -> dict[str, Any]:
    """The weights by the names of the base model, low-rank adapters merged in."""
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


_LOADERS: dict[ModelRole, Callable[[Path, StepRule], Any]] = {
    "policy": lambda folder, rule: load_weights(folder),
    "verifier": load_verifier,
}
"""How the model of each role is made from a folder and what ends a step."""
