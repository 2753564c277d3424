"""A sample of a checkpoint's output, kept in its folder, to check whether an engine serves it.

A trained policy's folder contains a few token ids and the log probability that the model itself
gave each. An engine that received new weights while running must reproduce them; otherwise it could
go unnoticed that the engine still uses old weights, or some of them.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.engines import VLLMConfig
from schemas.errors import EngineFailed, ModelUnusable

PROBE_FILE = "probe.json"
"""The file in a checkpoint's folder; the checkpoint's id does not depend on it."""
MAX_PROBE_TOKENS = 64

_TOLERANCE_NATS = {"float32": 1e-3}
_HALF_TOLERANCE_NATS = 0.2
"""Mean differences per token; half-precision engines round, float32 ones do not. One training step
makes a larger difference than the float32 tolerance, stale output embeddings 0.1 or more."""


@dataclass(frozen=True, slots=True)
class Probe:
    """Token ids, and the log probabilities the model gave them."""

    token_ids: tuple[int, ...]
    """[num_tokens], two or more."""
    logprobs: tuple[float, ...]
    """[num_tokens - 1] log probability of each token but the first, given those before it."""

    def to_json(self) -> str:
        """The text of the file."""
        return json.dumps({"token_ids": self.token_ids, "logprobs": self.logprobs}) + "\n"


def take_probe(model: Any, token_ids: Sequence[int]) -> Probe:
    """A transformers model's probe on the beginning of a text, in the type of its weights.

    Args:
        model: a causal language model; it is left unchanged.
        token_ids: two or more; the first 64 are used.
    """
    import torch

    taken = tuple(token_ids[:MAX_PROBE_TOKENS])
    ids = torch.tensor([taken], device=model.device)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
    model.train(was_training)
    logprobs = torch.log_softmax(logits.float(), dim=-1).gather(1, ids[0, 1:, None])[:, 0]
    return Probe(taken, tuple(logprobs.tolist()))


def read_probe(folder: Path) -> Probe | None:
    """The probe in a checkpoint's folder, if it has one.

    Raises:
        ModelUnusable: the file is not a probe.
    """
    file = folder / PROBE_FILE
    if not file.is_file():
        return None
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        token_ids = tuple(int(token) for token in stored["token_ids"])
        logprobs = tuple(float(logprob) for logprob in stored["logprobs"])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelUnusable(f"model {file}: expected token_ids and logprobs: {error!r}") from error
    if len(token_ids) < 2 or len(logprobs) != len(token_ids) - 1:
        raise ModelUnusable(
            f"model {file}: expected two tokens or more and a log probability for each but the "
            f"first, got {len(token_ids)} and {len(logprobs)}"
        )
    return Probe(token_ids, logprobs)


def check_logprobs(
    engine_name: str, expected: Sequence[float], got: Sequence[float], *, tolerance: float
) -> None:
    """Refuse an engine whose log probabilities are not those of the weights it was given.

    Args:
        engine_name: the name of the engine in the message.
        expected: [num_tokens] log probabilities by the model itself.
        got: [num_tokens] log probabilities by the engine.
        tolerance: allowed mean difference per token, in nats.

    Raises:
        EngineFailed: they differ by more.
    """
    pairs = list(zip(expected, got, strict=True))
    difference = sum(abs(one - other) for one, other in pairs) / len(pairs)
    if not difference <= tolerance:
        raise EngineFailed(
            f"engine {engine_name}: expected the log probabilities of the weights it was given, to "
            f"{tolerance:g} nats a token, got {difference:.3g} off: it does not serve them"
        )


def tolerance_nats(config: VLLMConfig, folder: Path) -> float:
    """How far off an engine's log probabilities may be, by the type it computes in."""
    dtype = config.dtype
    if dtype == "auto":
        dtype = json.loads((folder / "config.json").read_text(encoding="utf-8")).get("dtype")
    return _TOLERANCE_NATS.get(str(dtype), _HALF_TOLERANCE_NATS)
