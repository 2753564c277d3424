"""Where a token-classification verifier reads each step: tokens in, one position per step out.

Training and serving both call `lay_out`, so they cannot disagree. Each step is tokenised on its
own with the separator behind it, whatever followed it in the text: the tokens of a prefix are
then a prefix of the tokens of the whole, and a step's score can never depend on later text.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tasks.segmentation import step_body


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """A solution as the verifier reads it."""

    token_ids: list[int]
    positions: list[int]
    """[num_steps] index into `token_ids` of the last token of each step's separator."""


def lay_out(
    tokenizer: Any,
    prompt: str,
    steps: Sequence[str],
    separator: str,
    *,
    has_chat_template: bool = False,
) -> TokenLayout:
    """Token ids of prompt and steps, and the position at which each step is scored.

    Args:
        tokenizer: a Hugging Face tokenizer.
        prompt: everything before the answer; it carries its special tokens already when
            `has_chat_template`.
        steps: [num_steps] step texts, with or without their separators.
        separator: what ends a step in this verifier's training data.
        has_chat_template: the prompt is a finished chat template.

    Raises:
        ValueError: there is no step, or a step is empty.
    """
    if not steps:
        raise ValueError("expected at least one step to score, got none")
    ids = list(tokenizer(prompt, add_special_tokens=not has_chat_template)["input_ids"])
    positions = []
    for index, step in enumerate(steps):
        body = step_body(step)
        if not body:
            raise ValueError(f"step {index} is empty: expected visible text, got {step!r}")
        ids += tokenizer(body + separator, add_special_tokens=False)["input_ids"]
        positions.append(len(ids) - 1)
    return TokenLayout(ids, positions)
