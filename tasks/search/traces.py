"""Whole solutions drawn piece by piece, so that one can be given up on the way.

A solution continues from the exact tokens so far (and their text, for an engine that knows no ids).
A piece whose text ends within a character is drawn again with the same seed and a token more, until
the character is complete: its bytes could not be joined with those of the next piece.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from schemas.engines import Completion
from tasks.search.confidences import group_confidences
from tasks.search.tree import Cost, add_costs

_BROKEN_CHARACTER = "\ufffd"
_MOST_TOKENS_MISSING = 3
"""A character has at most four bytes, and so at most as many tokens."""

T = TypeVar("T")

Drawn = tuple[Completion | str, Cost]
"""A continuation or the error it met, and what it cost."""


class Generate(Protocol):
    """Draws continuations `first` to `first + num - 1` of a prefix and what comes after it."""

    def __call__(
        self,
        first: int,
        num: int,
        room: int,
        *,
        after: str = "",
        after_ids: tuple[int, ...] | None = None,
        num_alternatives: int = 0,
    ) -> Awaitable[list[Drawn]]:
        """The continuations, each with its cost."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """What is read of solutions while they are drawn, and when one is given up."""

    num_alternatives: int
    """Most likely tokens (k) that make a token's confidence."""
    chunk_tokens: int | None = None
    """Tokens between two looks; None draws solutions whole."""
    window: int = 1
    """Tokens of a group."""
    threshold: float = -1.0
    """A solution with a full group of less confidence is given up; none is ever below 0."""

    def gives_up(self, completion: Completion) -> bool:
        """Whether a solution that could go on is given up."""
        confidences = completion.confidences
        if self.chunk_tokens is None or completion.finish_reason == "stop" or confidences is None:
            return False
        if len(confidences) < self.window:
            return False
        return min(group_confidences(confidences, self.window)) < self.threshold


async def draw_traces(
    generate: Generate, first: int, num: int, room: int, watch: Watch | None
) -> list[Drawn]:
    """`num` solutions of at most `room` tokens; their beginnings where the watch gives them up."""
    if watch is None:
        return await generate(first, num, room)
    if watch.chunk_tokens is None:
        return await generate(first, num, room, num_alternatives=watch.num_alternatives)
    size = min(watch.chunk_tokens, room)
    begun = await generate(first, num, size, num_alternatives=watch.num_alternatives)
    return list(
        await asyncio.gather(
            *(
                _go_on(generate, index, drawn, size, room, watch)
                for index, drawn in enumerate(begun, first)
            )
        )
    )


async def _go_on(
    generate: Generate, index: int, drawn: Drawn, size: int, room: int, watch: Watch
) -> Drawn:
    """Solution `index`, of which a piece of `size` tokens was drawn."""
    whole, cost = await _mend(generate, index, drawn, size, room, None, watch)
    piece = whole
    while not isinstance(whole, str) and not isinstance(piece, str):
        left = room - len(whole.token_ids)
        is_context_full = len(piece.token_ids) < size
        if piece.finish_reason == "stop" or not left or is_context_full or watch.gives_up(whole):
            break
        size = min(size, left)
        (drawn,) = await _continue(generate, index, size, whole, watch)
        piece, more = await _mend(generate, index, drawn, size, left, whole, watch)
        cost = add_costs(cost, more)
        whole = piece if isinstance(piece, str) else _join(whole, piece)
    return whole, cost


async def _mend(
    generate: Generate,
    index: int,
    drawn: Drawn,
    size: int,
    room: int,
    before: Completion | None,
    watch: Watch,
) -> Drawn:
    """A piece that does not end within a character, as far as there is room."""
    piece, cost = drawn
    for larger in range(size + 1, min(size + _MOST_TOKENS_MISSING, room) + 1):
        if isinstance(piece, str) or not _is_broken(piece):
            break
        ((piece, more),) = await _continue(generate, index, larger, before, watch)
        cost = add_costs(cost, more)
    return piece, cost


def _continue(
    generate: Generate, index: int, size: int, before: Completion | None, watch: Watch
) -> Awaitable[list[Drawn]]:
    """The next `size` tokens of a solution."""
    return generate(
        index,
        1,
        size,
        after="" if before is None else before.text,
        after_ids=None if before is None else before.token_ids,
        num_alternatives=watch.num_alternatives,
    )


def _is_broken(piece: Completion) -> bool:
    return piece.finish_reason == "length" and piece.text.endswith(_BROKEN_CHARACTER)


def _join(one: Completion, more: Completion) -> Completion:
    """A solution and its continuation as one; what either does not report is unknown."""
    return replace(
        more,
        text=one.text + more.text,
        token_ids=one.token_ids + more.token_ids,
        logprobs=_concatenate(one.logprobs, more.logprobs),
        token_texts=_concatenate(one.token_texts, more.token_texts),
        confidences=_concatenate(one.confidences, more.confidences),
    )


def _concatenate(one: tuple[T, ...] | None, more: tuple[T, ...] | None) -> tuple[T, ...] | None:
    return None if one is None or more is None else (*one, *more)
