"""Texts of a policy by transformers itself, so that the recipe is self-contained."""

from collections.abc import Sequence
from typing import Any

from schemas.units import derive_seed

MAX_NEW_TOKENS = 120
_ROWS_AT_ONCE = 256


def sample_texts(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    num_texts: int = 1,
    seed: int | None = None,
    temperature: float = 1.0,
) -> list[list[str]]:
    """[num_prompts][num_texts] texts, greedy without a seed."""
    import torch

    texts = []
    per_call = max(1, _ROWS_AT_ONCE // num_texts)
    model.eval()
    for first in range(0, len(prompts), per_call):
        inputs = tokenizer(
            list(prompts[first : first + per_call]),
            return_tensors="pt",
            padding=True,
            padding_side="left",
        )
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(derive_seed("scores", seed, first))
            token_ids = model.generate(
                input_ids=inputs["input_ids"],
                attention_mask=inputs["attention_mask"],
                max_new_tokens=MAX_NEW_TOKENS,
                num_return_sequences=num_texts,
                do_sample=seed is not None,
                temperature=temperature if seed is not None else 1.0,
                top_k=0,
                top_p=1.0,
            )
        written = tokenizer.batch_decode(
            token_ids[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True
        )
        texts += [written[row : row + num_texts] for row in range(0, len(written), num_texts)]
    return texts
