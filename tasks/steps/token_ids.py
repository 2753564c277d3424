"""Token ids in rows: the tokens a prefix was sampled as, and where its text would be others."""

from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import TypedDict

from schemas.engines import UNTOLD_TOKEN, Completion
from schemas.rows import Trajectory


class TokenColumns(TypedDict):
    """The columns of a trajectory that hold its tokens."""

    token_ids: tuple[int, ...] | None
    vocabulary: str | None


def known_ids(completion: Completion, vocabulary: str | None) -> tuple[int, ...] | None:
    """The sampled tokens; None if the engine does not report which token wrote what."""
    is_known = (
        vocabulary is not None
        and completion.token_texts is not None
        and UNTOLD_TOKEN not in completion.token_ids
    )
    return completion.token_ids if is_known else None


def token_columns(token_ids: Sequence[int] | None, vocabulary: str | None) -> TokenColumns:
    """The columns of a row with these tokens of this vocabulary."""
    if token_ids is None:
        return TokenColumns(token_ids=None, vocabulary=None)
    return TokenColumns(token_ids=tuple(token_ids), vocabulary=vocabulary)


def completion_columns(completion: Completion | None, vocabulary: str | None) -> TokenColumns:
    """The columns of a row that is one completion, or none."""
    known = None if completion is None else known_ids(completion, vocabulary)
    return token_columns(known, vocabulary)


def prefix_ids(row: Trajectory, num_steps: int, vocabulary: str | None) -> tuple[int, ...] | None:
    """The sampled tokens of a row's own first steps.

    Returns:
        None if the row has no ids, or those of another vocabulary: only the text is common then.
    """
    if row.token_ids is None or vocabulary is None or row.vocabulary != vocabulary:
        return None
    return row.token_ids[: sum(step.num_tokens for step in row.steps[:num_steps])]


def split_ids(token_ids: Sequence[int], counts: Sequence[int]) -> list[tuple[int, ...]]:
    """[num_steps] the tokens of each step; those after the last step belong to it.

    Args:
        token_ids: of a row.
        counts: [num_steps] tokens of each step.

    Raises:
        ValueError: there are fewer tokens than the steps have.
    """
    if sum(counts) > len(token_ids):
        raise ValueError(
            f"expected at least {sum(counts)} token ids, as many as the steps have, "
            f"got {len(token_ids)}"
        )
    ends = [*accumulate(counts[:-1]), len(token_ids)] if counts else []
    begins = [0, *ends[:-1]]
    return [tuple(token_ids[begin:end]) for begin, end in zip(begins, ends, strict=True)]


def step_ids(row: Trajectory) -> tuple[tuple[int, ...], ...] | None:
    """[num_steps] the sampled tokens of each of a row's own steps; None if they are not known."""
    if row.token_ids is None:
        return None
    return tuple(split_ids(row.token_ids, [step.num_tokens for step in row.steps]))


def changed_boundaries(
    row: Trajectory, encode: Callable[[str], Sequence[int] | None]
) -> int | None:
    """The number of a row's step ends at which its text alone would be other tokens.

    A continuation from there that was given only the text would start where the policy never was.

    Args:
        row: a solution with token ids.
        encode: from a text to its tokens, or None where that is not known.

    Returns:
        None if the row has no ids, or texts cannot be encoded.
    """
    if row.token_ids is None:
        return None
    changed, num_tokens, text = 0, 0, ""
    for step in row.steps[:-1]:
        text += step.text
        num_tokens += step.num_tokens
        if (alone := encode(text)) is None:
            return None
        changed += tuple(alone) != row.token_ids[:num_tokens]
    return changed


def whole_step_ids(
    row: Trajectory, rows: Mapping[str, Trajectory]
) -> tuple[tuple[int, ...], ...] | None:
    """[num_steps] the tokens of each step of `whole_steps` (see tasks.steps.trees).

    None if some are not known, or the row and those it continues have several vocabularies.
    """
    own = step_ids(row)
    if own is None or row.parent_id is None or not row.branch_step:
        return own
    parent = rows[row.parent_id]
    before = whole_step_ids(parent, rows)
    if before is None or parent.vocabulary != row.vocabulary:
        return None
    return (*before[: row.branch_step], *own)
