"""Text to steps and back: the single definition of a step.

A step is a piece of a solution that ends after a separator, or at the end of the text. Steps keep
their separators, so joining them restores the text. A piece of white space alone is not a step: it
belongs to the step before it (public search code scores such empty last steps).

A rule may say more (`schemas.steps`): words that begin a step, a thought's end, a minimum length,
a maximum number. All but the maximum look only at what stands before a boundary, so the first
steps of a text, joined, are cut into the same steps.
"""

import heapq
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from schemas.engines import Completion
from schemas.rows import Step
from schemas.steps import StepEnding, StepRule

_SENTENCE_ENDS = frozenset(".!?…。！？:;")
_CLOSING = "\"'”’)]}*$_"
"""Characters that may stand between the end of a sentence and the space after it."""


def split_steps(text: str, ending: StepEnding) -> list[str]:
    """Cut a text by a rule; joining the steps restores the text.

    Args:
        text: a solution, or what follows its first steps.
        ending: what ends a step.

    Returns:
        No step for a text of white space alone; otherwise every step has visible text.

    Raises:
        ValueError: the separator is empty.
    """
    rule = StepRule.of(ending)
    steps: list[str] = []
    unfinished = ""
    for piece in _cut(text, rule):
        if not unfinished and steps and not _is_visible(piece, rule):
            steps[-1] += piece
            continue
        unfinished += piece
        if _is_long_enough(unfinished, rule) or _ends_thought(piece, rule):
            steps.append(unfinished)
            unfinished = ""
    if unfinished.strip():
        steps.append(unfinished)
    elif steps:
        steps[-1] += unfinished
    if rule.max_steps is not None and len(steps) > rule.max_steps:
        return _join_shortest(steps, rule.max_steps, rule)
    return steps


def is_complete(text: str, ending: StepEnding) -> bool:
    """Whether a text that was stopped at the separator ends where a step does."""
    steps = split_steps(text, StepRule.of(ending).unlimited)
    return bool(steps) and _is_long_enough(steps[-1], StepRule.of(ending))


def _cut(text: str, rule: StepRule) -> Iterator[str]:
    """The shortest pieces; every one but the last ends at a boundary."""
    ends = set(_ends_of(text, rule.separator))
    if rule.thought_end:
        ends.update(_ends_of(text, rule.thought_end))
    if rule.starts:
        words = _words(rule.starts).finditer(text)
        ends.update(m.start() for m in words if _begins_sentence(text, m.start()))
    bounds = sorted(ends - {0, len(text)})
    return (text[begin:end] for begin, end in pairwise([0, *bounds, len(text)]))


def _ends_of(text: str, mark: str) -> Iterator[int]:
    end = 0
    while (begin := text.find(mark, end)) >= 0:
        end = begin + len(mark)
        yield end


@lru_cache
def _words(starts: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(starts, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)")


def _begins_sentence(text: str, start: int) -> bool:
    """Whether a line or a sentence begins at a place."""
    end = start
    while end and text[end - 1].isspace():
        end -= 1
    if not end or "\n" in text[end:start]:
        return True
    before = end
    while before and text[before - 1] in _CLOSING:
        before -= 1
    is_spaced = end < start or text[end - 1] in "。！？"
    return is_spaced and before > 0 and text[before - 1] in _SENTENCE_ENDS


def _is_visible(piece: str, rule: StepRule) -> bool:
    return piece.strip() not in ("", rule.thought_end)


def _is_long_enough(step: str, rule: StepRule) -> bool:
    return len(step.strip()) >= max(rule.min_chars, 1)


def _ends_thought(step: str, rule: StepRule) -> bool:
    return rule.thought_end is not None and step.rstrip().endswith(rule.thought_end)


def _join_shortest(steps: list[str], num: int, rule: StepRule) -> list[str]:
    """Join the two neighbours that are shortest together until `num` steps are left.

    Of pairs of one length the first is joined; a thought and its answer are the last to be joined.
    """
    joined: list[str | None] = [*steps]
    after = [*range(1, len(steps)), -1]
    before = [*range(-1, len(steps) - 1)]
    pairs: list[tuple[bool, int, int, int]] = []

    def offer(left: int) -> None:
        one, right = joined[left], after[left]
        if one is not None and right >= 0 and (other := joined[right]) is not None:
            heapq.heappush(pairs, (_ends_thought(one, rule), len(one) + len(other), left, right))

    for left in range(len(steps)):
        offer(left)
    left_over = len(steps)
    while left_over > num:
        _, length, left, right = heapq.heappop(pairs)
        one, other = joined[left], joined[right]
        if one is None or other is None or after[left] != right or len(one) + len(other) != length:
            continue  # a pair of which one has grown since
        joined[left], joined[right] = one + other, None
        after[left] = after[right]
        if after[left] >= 0:
            before[after[left]] = left
        left_over -= 1
        offer(left)
        if before[left] >= 0:
            offer(before[left])
    return [step for step in joined if step is not None]


def step_body(step: str) -> str:
    """A step without the white space and separator at its end."""
    return step.rstrip()


def measure_steps(completion: Completion, ending: StepEnding) -> tuple[Step, ...]:
    """The steps of a completion with their token counts and summed log probabilities.

    A token belongs to the step in which its last character lies; the end-of-text token, which
    has no characters, to the last step.
    """
    texts = split_steps(completion.text, ending)
    if not texts:
        return ()
    counts = [0] * len(texts)
    logprobs = [0.0] * len(texts)
    ends = list(accumulate(map(len, texts)))
    step = 0
    for index, end in enumerate(_token_ends(completion)):
        while step < len(ends) - 1 and end > ends[step]:
            step += 1
        counts[step] += 1
        if completion.logprobs is not None:
            logprobs[step] += completion.logprobs[index]
    has_logprobs = completion.logprobs is not None
    return tuple(
        Step(text=text, num_tokens=count, logprob=logprob if has_logprobs else None)
        for text, count, logprob in zip(texts, counts, logprobs, strict=True)
    )


def _token_ends(completion: Completion) -> Sequence[float]:
    """[num_tokens] where each token ends in the text, in characters."""
    pieces = completion.token_texts
    if pieces is not None:
        return list(accumulate(map(len, pieces)))
    total = max(len(completion.token_ids), 1)
    return [len(completion.text) * (i + 1) / total for i in range(len(completion.token_ids))]
