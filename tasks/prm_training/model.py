"""A causal language model turned into a verifier: its body, and a new score layer of two labels."""

from typing import Any

from schemas.errors import ModelUnusable
from tasks.models.folders import SEPARATOR_KEY, check_model_folder, load_tokenizer, resolve_model

LABELS = {0: "wrong", 1: "right"}


def load_base(base_model: str, *, separator: str) -> tuple[Any, Any]:
    """The untrained verifier (float32, says .5 everywhere) and its tokenizer.

    Args:
        base_model: folder or Hugging Face id of a causal language model.
        separator: written into the model's config, so that serving can compare it.

    Raises:
        ModelUnusable: the base is no causal language model, or its architecture has no
            token-classification form.
    """
    import torch
    from transformers import AutoConfig, AutoModelForTokenClassification

    folder = resolve_model(base_model)
    check_model_folder(folder, "policy")
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
            f"base model {base_model}: expected an architecture that transformers has: {error}"
        ) from error
    config.classifier_dropout = 0.0
    setattr(config, SEPARATOR_KEY, separator)
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
            f"base model {base_model}: expected an architecture with a token-classification form, "
            f"got {config.architectures}: {error}"
        ) from error
    head = getattr(model, "score", None)
    if not isinstance(head, torch.nn.Linear):
        raise ModelUnusable(
            f"base model {base_model}: expected {type(model).__name__} to read its tokens by a "
            "linear layer named `score`, as decoder-only models do"
        )
    torch.nn.init.zeros_(head.weight)
    if head.bias is not None:
        torch.nn.init.zeros_(head.bias)
    return model, load_tokenizer(folder)
