"""Completions joined and cut: tokens stay as they were sampled, texts join to the byte."""

import math
from collections.abc import Callable, Sequence
from itertools import accumulate

from schemas.engines import UNTOLD_TOKEN, Completion, FinishReason
from schemas.rows import Step
from schemas.steps import StepRule
from tasks.steps.outputs import num_written
from tasks.steps.segmentation import measure_steps

Encode = Callable[[str], Sequence[int] | None]
"""From a text to its tokens alone; None where they are not known."""


def join(one: Completion, other: Completion) -> Completion:
    """One completion and what was written after it; it ends as the second one does."""
    has_logprobs = one.logprobs is not None and other.logprobs is not None
    has_texts = one.token_texts is not None and other.token_texts is not None
    has_confidences = one.confidences is not None and other.confidences is not None
    return Completion(
        text=one.text + other.text,
        token_ids=one.token_ids + other.token_ids,
        logprobs=(*(one.logprobs or ()), *(other.logprobs or ())) if has_logprobs else None,
        finish_reason=other.finish_reason,
        stop_string=other.stop_string,
        token_texts=(*(one.token_texts or ()), *(other.token_texts or ())) if has_texts else None,
        confidences=(*(one.confidences or ()), *(other.confidences or ()))
        if has_confidences
        else None,
        outputs=_join_outputs(one, other),
        num_written=None
        if one.num_written is None and other.num_written is None
        else num_written(one) + num_written(other),
        error=other.error,
    )


def drawn_steps(completion: Completion, rule: StepRule) -> tuple[Step, ...]:
    """The steps of a text that was drawn up to the end of a step; one, if none can begin within.

    No step for white space alone.
    """
    if not completion.text.strip():
        return ()
    if rule.starts or rule.thought_end or completion.outputs:
        return measure_steps(completion, rule)
    logprobs = completion.logprobs
    return (
        Step(
            text=completion.text,
            num_tokens=len(completion.token_ids),
            logprob=None if logprobs is None else math.fsum(logprobs),
        ),
    )


def given(text: str, encode: Encode) -> Completion:
    """A text that is put into a solution instead of being sampled.

    Its tokens are not the model's choice, so their log probability is 0. Where the engine tells no
    ids it counts as one unknown token.
    """
    found = encode(text)
    ids = (UNTOLD_TOKEN,) if found is None else tuple(found)
    if not ids:
        raise ValueError(f"expected text that the tokenizer knows, got {text!r}")
    return Completion(
        text=text,
        token_ids=ids,
        logprobs=(0.0,) * len(ids),
        finish_reason="length",
        stop_string=None,
        token_texts=("",) * (len(ids) - 1) + (text,),
    )


def cut(completion: Completion, end: int, reason: FinishReason = "length") -> Completion:
    """The tokens of a completion that lie before a character.

    A token that goes beyond it is left out whole, so the text may be shorter. Where the engine does
    not say which token wrote what, the text ends at the character, and its tokens are a share.
    """
    pieces = completion.token_texts
    if pieces is None:
        num = len(completion.token_ids) * end // max(len(completion.text), 1)
        text = completion.text[:end]
    else:
        ends = [*accumulate(map(len, pieces))]
        num = next((i for i, piece_end in enumerate(ends) if piece_end > end), len(pieces))
        # What has no text is an end of text, or the beginning of the character that is left out.
        while num and not pieces[num - 1]:
            num -= 1
        text = "".join(pieces[:num])
    logprobs, confidences = completion.logprobs, completion.confidences
    return Completion(
        text=text,
        token_ids=completion.token_ids[:num],
        logprobs=None if logprobs is None else logprobs[:num],
        finish_reason=reason,
        stop_string=None,
        token_texts=None if pieces is None else pieces[:num],
        outputs=None if completion.outputs is None else completion.outputs[:num],
        num_written=completion.num_written,
        confidences=None if confidences is None else confidences[:num],
    )


def _join_outputs(one: Completion, other: Completion) -> tuple[bool, ...] | None:
    if one.outputs is None and other.outputs is None:
        return None
    return tuple(
        mark for each in (one, other) for mark in each.outputs or (False,) * len(each.token_ids)
    )
