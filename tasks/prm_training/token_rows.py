"""Examples as token ids with labels at the positions where a verifier is read.

Training and serving share `lay_out`, so the separator, the special tokens and the position that
is read are the same. A row that is too long is dropped and counted: cutting it would silently
drop its last labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.errors import ModelUnusable
from tasks.prm_training.examples import StepExample
from tasks.verifiers.layout import Encoder, lay_out


@dataclass(frozen=True, slots=True)
class TokenRow:
    """One example as the model reads it."""

    token_ids: tuple[int, ...]
    positions: tuple[int, ...]
    """[num_steps] index of the token at which each step is read."""
    labels: tuple[float | None, ...]
    """[num_steps] targets in [0, 1]; None carries no loss."""
    weight: float
    """What a label of this row weighs."""
    problem_id: str


def encode_examples(
    examples: Sequence[StepExample],
    tokenizer: Any,
    *,
    separator: str,
    max_length: int,
    outcome_weight: float = 1.0,
) -> tuple[list[TokenRow], int]:
    """Token rows in order, and the number of examples that were dropped as too long.

    Raises:
        ValueError: an example cannot be laid out; the message names its trajectory.
    """
    encode = Encoder(tokenizer)
    rows = []
    num_too_long = 0
    for example in examples:
        try:
            layout = lay_out(
                encode,
                example.prompt,
                example.steps,
                separator,
                has_chat_template=example.has_chat_template,
            )
        except ValueError as error:
            raise ValueError(f"trajectory {example.trajectory_id}: {error}") from error
        if len(layout.token_ids) > max_length:
            num_too_long += 1
            continue
        rows.append(
            TokenRow(
                token_ids=tuple(layout.token_ids),
                positions=tuple(layout.positions),
                labels=example.labels,
                weight=outcome_weight if example.is_outcome else 1.0,
                problem_id=example.problem_id,
            )
        )
    return rows, num_too_long


def check_separator(tokenizer: Any, separator: str) -> None:
    """Refuse a separator that this tokenizer cannot write.

    Raises:
        ModelUnusable: it becomes no token, or an unknown one.
    """
    ids = tokenizer(separator, add_special_tokens=False)["input_ids"]
    if not ids or tokenizer.unk_token_id in ids:
        raise ModelUnusable(
            f"separator {separator!r}: expected text that this tokenizer knows, it becomes the "
            f"tokens {tokenizer.convert_ids_to_tokens(ids)}"
        )


def check_labels(rows: Sequence[TokenRow]) -> None:
    """Refuse training rows from which nothing can be learnt.

    Raises:
        ValueError: there is no row, or all labels say the same.
    """
    labels = [label for row in rows for label in row.labels if label is not None]
    if not labels:
        raise ValueError(f"expected labelled steps to train on, got none in {len(rows)} rows")
    if min(labels) == max(labels):
        raise ValueError(
            f"expected right and wrong steps to train on, got {len(labels)} labels that all say "
            f"{labels[0]:g}"
        )
