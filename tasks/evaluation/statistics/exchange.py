"""The exchange between parameters, pretraining and compute at test time (arXiv:2408.03314, 7).

A dense model of P parameters takes 2P floating point operations per token that it reads or writes,
and 6P per token that it is pretrained on. With X = 6 P D_pre for pretraining and Y = 2 P D_inf for
inference, a model M times as large costs M (X + Y). A small model that is given the same total may
spend M + 3 (D_pre / D_inf) (M - 1) times its own inference on search. A later version of the paper
doubles Y, as a verifier reads along, which makes the factor 3/2.
"""

import math

FORWARD = 2
"""Operations per parameter and token that is read or written."""
PRETRAINING = 6
"""Operations per parameter and token that is trained on: one pass forward, two backward."""


def forward_flops(num_parameters: float, num_tokens: float) -> float:
    """Floating point operations of a dense model that reads or writes these tokens.

    Raises:
        ValueError: a number is negative or not finite.
    """
    for name, value in (("parameters", num_parameters), ("tokens", num_tokens)):
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{name}: expected a number of at least 0, got {value}")
    return FORWARD * num_parameters * num_tokens


def inference_multiplier(
    size_ratio: float, inference_per_pretraining: float, *, forward: float = FORWARD
) -> float:
    """How many times its own inference a small model may spend to cost what a large one does.

    Args:
        size_ratio: M, parameters of the large model over those of the small one; at least 1.
        inference_per_pretraining: R = D_inf / D_pre, tokens of all queries over those of
            pretraining; the same of both models.
        forward: operations per parameter and token at test time: 2, or 4 if a verifier of the
            policy's size reads what it writes.

    Raises:
        ValueError: M is below 1, or another argument is not above 0.
    """
    if not (math.isfinite(size_ratio) and size_ratio >= 1):
        raise ValueError(
            f"size_ratio: expected the large model's parameters over the small one's, at least 1, "
            f"got {size_ratio}"
        )
    for name, value in (
        ("inference_per_pretraining", inference_per_pretraining),
        ("forward", forward),
    ):
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a number above 0, got {value}")
    return size_ratio + PRETRAINING / forward / inference_per_pretraining * (size_ratio - 1)
