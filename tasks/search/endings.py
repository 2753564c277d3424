"""How drawn steps and solutions end: by themselves, still open, or cut, with the reason."""

from collections.abc import Sequence

from schemas.engines import Completion
from schemas.rows import Step
from schemas.search import SearchLimits
from tasks.search.tree import Node, State

MAX_BLANKS = 3
"""Separators in a row that a policy may write before a step; with one more the solution is cut."""


def ending_of(
    node: Node,
    drawn: Completion,
    steps: Sequence[Step],
    *,
    room: int,
    limits: SearchLimits,
    is_complete: bool,
) -> tuple[State, str | None]:
    """The state of a prefix and the next step drawn from it, and why it was cut, if it was.

    Args:
        node: the prefix.
        drawn: what was written after it.
        steps: the steps of that; none if it is white space alone.
        room: tokens that were allowed for it.
        limits: of the search.
        is_complete: whether it ends where a step does, or by itself.
    """
    num_tokens = len(drawn.token_ids)
    if drawn.finish_reason == "length" or (steps and not is_complete):
        if num_tokens >= room == limits.max_step_tokens:
            return "truncated", f"a step of more than {room} tokens"
        return "truncated", why_cut(node.num_tokens + num_tokens, limits.max_tokens)
    if drawn.stop_string is None:
        return "finished", None
    if not steps:
        return "truncated", f"{MAX_BLANKS + 1} separators in a row"
    return "open", None


def why_cut(num_tokens: int, maximum: int) -> str:
    """Why a solution with this number of tokens, of at most `maximum`, was not finished."""
    if num_tokens < maximum:
        return f"not finished after {num_tokens} tokens, which fill the policy's context"
    return f"not finished after {maximum} tokens"


def close_at_limits(node: Node, limits: SearchLimits) -> None:
    """Cut an open prefix that has reached a limit."""
    if not node.is_open:
        return
    if node.num_steps >= limits.max_steps:
        node.state, node.reason = "truncated", f"not finished after {limits.max_steps} steps"
    elif node.num_tokens >= limits.max_tokens:
        node.state, node.reason = "truncated", f"not finished after {limits.max_tokens} tokens"
