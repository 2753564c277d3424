"""Whether the models of a training fit together, by their files alone: nothing is loaded.

A reference must be a model of the policy's architecture and tokenizer, since the two are compared
token by token. A verifier that rewards must have the policy's tokenizer where the method or the
reward places what is earned on tokens; GRPO, which compares whole solutions, takes any.
"""

from pathlib import Path
from typing import Any

from schemas.engines import VLLMConfig
from schemas.errors import ModelUnusable
from schemas.training.drawing import DrawingRecipe
from schemas.training.recipe import TrainingJob
from schemas.training.rewards import RewardModelConfig
from tasks.models.folders import (
    check_model_folder,
    load_tokenizer,
    read_config,
    resolve_model,
    tokenizer_fingerprint,
)
from tasks.verifiers.reward_models import check_reward_model

_SHAPE = (
    "architectures",
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
)
"""Entries of config.json that make an architecture, with its size."""


def check_models(job: TrainingJob) -> None:
    """Refuse a reference or a rewarding verifier that does not fit the policy.

    Raises:
        ModelUnusable: says which model, what was expected and what came.
    """
    recipe = job.recipe
    if not isinstance(recipe, DrawingRecipe):
        return
    policy = resolve_model(*job.base)
    reference = getattr(recipe, "reference", None)
    if reference is not None:
        _check_reference(policy, reference)
    if not (recipe.shares_tokens or recipe.reward.reads_tokens):
        return
    for verifier in recipe.reward.verifiers:
        if isinstance(verifier, RewardModelConfig):
            check_reward_model(verifier, policy, separator=job.prompt.step_rule)
        elif isinstance(verifier, VLLMConfig):
            _check_tokenizer(
                "method.reward.verifier", resolve_model(verifier.model, verifier.revision), policy
            )


def _check_reference(policy: Path, name: str) -> None:
    reference = resolve_model(name)
    check_model_folder(reference, "policy")
    expected, got = (_shape(read_config(folder)) for folder in (policy, reference))
    for entry, value in expected.items():
        if got[entry] != value:
            raise ModelUnusable(
                f"method.reference {reference}: expected the architecture of the policy {policy}, "
                f"{entry} {value}, got {got[entry]}"
            )
    _check_tokenizer("method.reference", reference, policy)


def _shape(config: dict[str, Any]) -> dict[str, Any]:
    return {entry: config.get(entry) for entry in _SHAPE}


def _check_tokenizer(field: str, model: Path, policy: Path) -> None:
    if tokenizer_fingerprint(load_tokenizer(model)) != tokenizer_fingerprint(
        load_tokenizer(policy)
    ):
        raise ModelUnusable(
            f"{field} {model}: expected the tokenizer of the policy {policy}, token by token as "
            "rewards are placed, got another"
        )
