"""The model in training: loaded for its role, with low-rank adapters on demand, merged at the end.

A policy is a causal language model. A verifier is its body with a new score layer of two labels,
which starts at zero and so predicts 0.5 everywhere.

Weights are trained in float32 whatever the base's type, since updates of a usual learning rate are
lost in bfloat16's eight bits; with `precision: bfloat16` they are the master copy of mixed
precision (arXiv:1710.03740). The trained model is stored in the base's type. A verifier's new score
layer is stored in float32: it is small, and engines compute with it in float32.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import ModelUnusable
from schemas.rows import ModelRole
from schemas.steps import StepRule
from schemas.training.recipe import LoraConfig, TrainingJob, TrainingRecipe
from schemas.units import derive_seed
from tasks.models.files import FLOAT_TYPES, stored_dtype
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
    """Its trained weights are float32; with low-rank adapters where the recipe has them."""
    tokenizer: Any
    stored_dtype: str
    """The type in which the trained weights are saved: that of the folder."""


def load_base(job: TrainingJob) -> BaseModel:
    """Load the model of a job for training.

    Raises:
        ModelUnusable: it is not a causal language model, transformers lacks its architecture, or
            its weights are quantized.
        ValueError: low-rank adapters cannot be added where the recipe asks for them.
    """
    name, revision = job.base
    folder = resolve_model(name, revision)
    settings = check_model_folder(folder, "policy")
    tokenizer = load_tokenizer(folder)
    recipe = job.recipe
    stored = stored_dtype(folder, settings)
    if stored is None:
        raise ModelUnusable(
            f"base model {folder}: expected weights in {', '.join(FLOAT_TYPES)}, got others, which "
            "cannot be trained"
        )
    model = _LOADERS[recipe.role](folder, job.prompt.step_rule, _loaded_dtype(recipe, stored))
    if recipe.lora is not None:
        seed = derive_seed("adapters", recipe.seed)
        model = _add_lora(model, recipe.lora, recipe.role, seed=seed)
    return BaseModel(folder, model, tokenizer, stored)


def _loaded_dtype(recipe: TrainingRecipe, stored: str) -> str:
    """The type of the weights in training.

    Under low-rank adapters the base is frozen, and mixed precision computes with its matrices in
    bfloat16 anyway: a bfloat16 base then stays as it is, at half the memory. FSDP, though, requires
    one type for all weights of a layer.
    """
    is_frozen = recipe.lora is not None and recipe.sharding == "none"
    return stored if is_frozen and stored == recipe.precision == "bfloat16" else "float32"


def load_weights(folder: Path, dtype: str = "float32") -> Any:
    """The causal language model of a folder, in float32 or another type.

    Raises:
        ModelUnusable: transformers does not have its architecture.
    """
    import torch
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, dtype), use_safetensors=True, trust_remote_code=False
        )
    except (ValueError, OSError) as error:
        raise ModelUnusable(
            f"policy {folder}: expected an architecture that transformers has: {error}"
        ) from error


def load_verifier(folder: Path, rule: StepRule, dtype: str = "float32") -> Any:
    """The untrained verifier on a folder's language model.

    Args:
        folder: of a causal language model.
        rule: what ends a step, stored in the model's config, so that serving can compare it.
        dtype: of the body; the score layer is float32.

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
    # There is no output embedding that could be the same matrix as the input's.
    config.get_text_config().tie_word_embeddings = config.tie_word_embeddings = False
    setattr(config, SEPARATOR_KEY, rule.separator)
    if rule.additions:
        setattr(config, RULE_KEY, rule.additions)
    try:
        model = AutoModelForTokenClassification.from_pretrained(
            folder,
            config=config,
            dtype=getattr(torch, dtype),
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
    head.to(torch.float32)
    torch.nn.init.zeros_(head.weight)
    if head.bias is not None:
        torch.nn.init.zeros_(head.bias)
    return model


def max_positions(model: Any) -> int | None:
    """The longest text the model was made for, in tokens; None where its config does not say."""
    return getattr(model.config, "max_position_embeddings", None)


def merged(model: Any, stored_dtype: str) -> Any:
    """The trained model ready to save: adapters merged, in the type to store it in.

    A verifier's score layer stays float32.
    """
    import torch

    whole = model.merge_and_unload() if hasattr(model, "merge_and_unload") else model
    head = getattr(whole, _HEAD, None)
    trained = None if head is None else {name: w.clone() for name, w in head.state_dict().items()}
    whole.to(getattr(torch, stored_dtype))
    if head is not None and trained is not None:
        head.to(torch.float32).load_state_dict(trained)
    return whole


def write_weights(model: Any, folder: Path) -> None:
    """Write a model in training as a folder that can be served; the model is unchanged."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    base.save_pretrained(folder, state_dict=_whole_state(model))


def _add_lora(model: Any, config: LoraConfig, role: ModelRole, *, seed: int) -> Any:
    """Add adapters, whose first factor starts at random, and leave torch's own state as it is."""
    import peft
    import torch

    modules = config.target_modules
    is_policy = role == "policy"
    tied = _tied_matrix(model)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            adapted = peft.get_peft_model(
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
    if tied is not None:
        _check_adapted(adapted, tied)
    return adapted


def _check_adapted(model: Any, tied: Any) -> None:
    """Refuse adapters on the matrix that is both input and output embedding."""
    from peft.tuners.lora import LoraLayer

    for name, module in model.named_modules():
        if isinstance(module, LoraLayer) and module.get_base_layer().weight is tied:
            raise ValueError(
                "lora.target_modules: expected layers with weights of their own, got "
                f"{name.removeprefix('base_model.model.')}: this model's input and output "
                "embeddings are one matrix, and an addition to one would change both"
            )


def _tied_matrix(model: Any) -> Any:
    """The matrix that is both input and output embedding; None where they are two."""
    output = model.get_output_embeddings()
    shared = model.get_input_embeddings().weight
    return shared if output is not None and output.weight is shared else None


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


_LOADERS: dict[ModelRole, Callable[[Path, StepRule, str], Any]] = {
    "policy": lambda folder, rule, dtype: load_weights(folder, dtype),
    "verifier": load_verifier,
}
"""How the model of each role is made from a folder, what ends a step, and a type."""
