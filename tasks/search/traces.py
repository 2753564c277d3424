"""Whole solutions drawn piece by piece, so that one can be given up on the way.

A solution continues from the exact tokens so far (and their text, for an engine that knows no ids).
A piece whose text ends within a character is drawn again with the same seed and a token more, until
the character is complete: its bytes could not be joined with those of the next piece.
"""

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Protocol

from schemas.engines import UNTOLD_TOKEN, Completion
from tasks.search.confidences import group_confidences
from tasks.search.tree import Cost, add_costs
from tasks.steps.pieces import join

_BROKEN_CHARACTER = "\ufffd"
_MOST_TOKENS_MISSING = 3
"""A character has at most four bytes, and so at most as many tokens."""

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
        after_ids: tuple[int, ...] | None = (),
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

    def gives_up(self, completion: Completion, num_seen: int = 0) -> bool:
        """Whether a solution that could go on is given up.

        Args:
            completion: the solution so far.
            num_seen: the number of first tokens at which it was not given up before.
        """
        confidences = completion.confidences
        if self.chunk_tokens is None or completion.finish_reason == "stop" or confidences is None:
            return False
        unseen = confidences[max(0, num_seen - self.window + 1) :]
        if len(unseen) < self.window:
            return False
        return min(group_confidences(unseen, self.window)) < self.threshold


async def draw_traces(
    generate: Generate, first: int, num: int, room: int, watch: Watch | None, *, knows_ids: bool
) -> list[Drawn]:
    """`num` solutions of at most `room` tokens; their beginnings where the watch gives them up.

    Args:
        generate: draws pieces.
        first: the index of the first solution.
        num: the number of solutions.
        room: the maximum of tokens.
        watch: what is read of them; None for nothing.
        knows_ids: whether the engine continues from the ids that it reports.
    """
    if watch is None:
        return await generate(first, num, room)
    if watch.chunk_tokens is None:
        return await generate(first, num, room, num_alternatives=watch.num_alternatives)
    size = min(watch.chunk_tokens, room)
    begun = await generate(first, num, size, num_alternatives=watch.num_alternatives)
    traces = [
        _Trace(generate, index, room, watch, knows_ids) for index in range(first, first + num)
    ]
    pairs = zip(traces, begun, strict=True)
    return list(await asyncio.gather(*(trace.continue_from(drawn, size) for trace, drawn in pairs)))


@dataclass(frozen=True, slots=True)
class _Trace:
    """One solution that is drawn piece by piece."""

    generate: Generate
    index: int
    room: int
    watch: Watch
    knows_ids: bool

    async def continue_from(self, drawn: Drawn, size: int) -> Drawn:
        """The solution of which a piece of `size` tokens was drawn."""
        whole, cost = await self._mend(drawn, size, None)
        piece = whole
        while not isinstance(whole, str) and not isinstance(piece, str):
            left = self.room - len(whole.token_ids)
            is_context_full = len(piece.token_ids) < size
            is_over = piece.finish_reason == "stop" or not left or is_context_full
            num_seen = len(whole.token_ids) - len(piece.token_ids)
            if is_over or self.watch.gives_up(whole, num_seen):
                break
            size = min(size, left)
            drawn = await self._continue(whole, size)
            piece, more = await self._mend(drawn, size, whole)
            cost = add_costs(cost, more)
            whole = piece if isinstance(piece, str) else join(whole, piece)
        return whole, cost

    async def _mend(self, drawn: Drawn, size: int, before: Completion | None) -> Drawn:
        """A piece that does not end within a character, as far as there is room."""
        piece, cost = drawn
        room = self.room - (0 if before is None else len(before.token_ids))
        for larger in range(size + 1, min(size + _MOST_TOKENS_MISSING, room) + 1):
            if isinstance(piece, str) or not _is_broken(piece):
                break
            piece, more = await self._continue(before, larger)
            cost = add_costs(cost, more)
        return piece, cost

    async def _continue(self, before: Completion | None, size: int) -> Drawn:
        """The next `size` tokens."""
        text, token_ids = ("", ()) if before is None else (before.text, before.token_ids)
        is_known = before is None or (self.knows_ids and UNTOLD_TOKEN not in token_ids)
        (drawn,) = await self.generate(
            self.index,
            1,
            size,
            after=text,
            after_ids=token_ids if is_known else None,
            num_alternatives=self.watch.num_alternatives,
        )
        return drawn


def _is_broken(piece: Completion) -> bool:
    return piece.finish_reason == "length" and piece.text.endswith(_BROKEN_CHARACTER)
