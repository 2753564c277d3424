"""Where a solution ends at a stop string: what is kept, and what is graded.

A stop string is the beginning of a text that is no part of the solution, such as a next question.
The solution is what stands before it, to whole tokens: every token that begins before the stop
string is kept, so that text and token ids stay the same text. What a kept token has of the stop
string itself, such as line breaks, stays. The tokens that are dropped were sampled and are counted
as such by the callers.

An engine looks for stop strings in what it generates; one that begins in a prefix given to it is
found only here.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from schemas.engines import UNTOLD_TOKEN, Completion
from tasks.steps.outputs import num_written, written_text


def end_at_stop(completion: Completion, stop: Sequence[str], *, prefix: str = "") -> Completion:
    """The completion as it is if its text ended by itself before the first of some stop strings.

    Args:
        completion: a continuation; with a stop string in it, it counts as finished.
        stop: the strings that end a solution, none of which ends a mere step.
        prefix: the solution so far; a stop string may begin in it and end in the continuation.
    """
    if not stop:
        return completion
    start = _find_stop(prefix, written_text(completion), stop)
    if start is None:
        return completion
    return replace(_keep(completion, start), finish_reason="stop", stop_string=None)


def _find_stop(prefix: str, text: str, stop: Sequence[str]) -> int | None:
    """Where in the text the first stop string begins; 0 for one that begins in the prefix."""
    found = []
    for string in stop:
        tail = prefix[len(prefix) - len(string) + 1 :] if len(string) > 1 else ""
        tail = tail if len(prefix) >= len(string) else prefix
        place = (tail + text).find(string)
        if place >= 0:
            found.append(max(0, place - len(tail)))
    return min(found, default=None)


def _keep(completion: Completion, end: int) -> Completion:
    """The tokens that begin before a place in the text; those without text before it included."""
    pieces = completion.token_texts
    if pieces is None:
        return _keep_text(completion, end)
    starts = accumulate(map(len, pieces[:-1]), initial=0)
    num_kept = sum(start < end for start in starts) if pieces else 0
    logprobs, confidences = completion.logprobs, completion.confidences
    return replace(
        completion,
        text="".join(pieces[:num_kept]),
        token_ids=completion.token_ids[:num_kept],
        token_texts=pieces[:num_kept],
        logprobs=None if logprobs is None else logprobs[:num_kept],
        confidences=None if confidences is None else confidences[:num_kept],
        outputs=None if completion.outputs is None else completion.outputs[:num_kept],
        num_written=num_written(completion),
    )


def _keep_text(completion: Completion, end: int) -> Completion:
    """The text up to a place, where it is not known which tokens it is made of.

    Its ids are then unknown too, and its log probability, since both may be those of other tokens.
    """
    total = max(len(completion.text), 1)
    num_kept = round(len(completion.token_ids) * end / total)
    return replace(
        completion,
        text=completion.text[:end],
        token_ids=(UNTOLD_TOKEN,) * num_kept,
        logprobs=None,
        confidences=None,
    )
