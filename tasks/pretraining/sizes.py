"""Policies of several sizes, checked before any of them is trained or asked.

Models are compared by their number of weights, embeddings included, and must read the same tokens.
"""

from collections.abc import Mapping
from itertools import pairwise

from schemas.pretraining import SizedPolicyConfig
from tasks.models.files import count_parameters
from tasks.models.folders import load_tokenizer, resolve_model, tokenizer_fingerprint
from tasks.world.tokenizer import build_tokenizer

_SERVED_HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256)
"""Widths of an attention head that vLLM serves on a CPU."""


def check_sizes(sizes: Mapping[str, SizedPolicyConfig]) -> dict[str, int]:
    """The parameters of each size, by its name.

    Args:
        sizes: from the smallest to the largest.

    Raises:
        ValueError: fewer than two sizes, one that is not larger than the one before, one with
            another tokenizer, or one to pretrain whose heads vLLM does not serve.
        ModelUnusable: a model does not exist.
    """
    if len(sizes) < 2:
        raise ValueError(f"expected at least two sizes, got {', '.join(sizes) or 'none'}")
    found = {name: _describe(size) for name, size in sizes.items()}
    for small, large in pairwise(found):
        (few, one), (many, other) = found[small], found[large]
        if many <= few:
            raise ValueError(
                f"{large}: expected more than the {few:,} parameters of {small}, got {many:,}"
            )
        if one != other:
            raise ValueError(
                f"{large}: expected the tokenizer of {small}, got one that makes other tokens"
            )
    for name, size in sizes.items():
        head = size.architecture.hidden_size // size.architecture.num_heads
        if size.model is None and head not in _SERVED_HEADS:
            raise ValueError(
                f"{name}: expected hidden_size / num_heads to be one of "
                f"{', '.join(map(str, _SERVED_HEADS))}, which vLLM serves, got {head}"
            )
    return {name: number for name, (number, _) in found.items()}


def _describe(size: SizedPolicyConfig) -> tuple[int, str]:
    """Its number of parameters, and what identifies its tokenizer."""
    if size.model is None:
        tokenizer = build_tokenizer()
        return size.architecture.num_parameters(len(tokenizer)), tokenizer_fingerprint(tokenizer)
    folder = resolve_model(size.model)
    return count_parameters(folder), tokenizer_fingerprint(load_tokenizer(folder))
