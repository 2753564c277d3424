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
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise

from schemas.engines import Completion
from schemas.rows import Step
from schemas.steps import StepEnding, StepRule
from tasks.steps.outputs import runs_of

_WIDE_ENDS = "\u3002\uff01\uff1f"
"""Chinese ends of sentences, which no space follows."""
_SENTENCE_ENDS = ".!?:;\u2026" + _WIDE_ENDS
_UNSPACED = "\u2e80"
"""The first character of the scripts of East Asia."""
_CLOSING = "\"'\u201d\u2019)]}*$_"
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
    shortest = max(rule.min_chars, 1)
    bounds, first, last = [0], -1, 0  # of the unfinished step: its first and last visible character
    for begin, end in _cut(text, rule):
        piece = text[begin:end].rstrip()
        body = piece.lstrip()
        if first < 0 and len(bounds) > 1 and (not body or body == rule.thought_end):
            bounds[-1] = end
            continue
        if body:
            last = begin + len(piece)
            first = last - len(body) if first < 0 else first
            if last - first >= shortest or _ends_thought(body, rule):
                bounds.append(end)
                first = -1
    if first >= 0:
        bounds.append(len(text))
    steps = [text[begin:end] for begin, end in pairwise(bounds)]
    if rule.max_steps is not None and len(steps) > rule.max_steps:
        return _join_shortest(steps, rule.max_steps, rule)
    return steps


def is_complete(text: str, ending: StepEnding) -> bool:
    """Whether a text that was stopped at the separator ends where a step does."""
    rule = StepRule.of(ending).unlimited
    steps = split_steps(text, rule)
    return bool(steps) and len(steps[-1].strip()) >= rule.min_chars


def _cut(text: str, rule: StepRule) -> Iterator[tuple[int, int]]:
    """Where the shortest pieces begin and end; every one but the last ends at a boundary."""
    ends = _ends_of(text, rule.separator)
    if rule.thought_end:
        ends += _ends_of(text, rule.thought_end)
    if rule.starts:
        words = _words(rule.starts).finditer(text)
        ends += [word.start() for word in words if _begins_sentence(text, word.start())]
    if rule.thought_end or rule.starts:
        ends = sorted(set(ends))
    return pairwise([0, *ends, len(text)])


def _ends_of(text: str, mark: str) -> list[int]:
    return list(accumulate(len(piece) + len(mark) for piece in text.split(mark)))[:-1]


@lru_cache
def _words(starts: tuple[str, ...]) -> re.Pattern[str]:
    """Finds the words; one whose script puts no spaces between words may go on."""
    longest_first = sorted(starts, key=len, reverse=True)
    whole = [re.escape(w) + ("" if w[-1] >= _UNSPACED else r"(?!\w)") for w in longest_first]
    return re.compile(rf"(?<!\w)(?:{'|'.join(whole)})")


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
    is_spaced = end < start or text[end - 1] in _WIDE_ENDS
    return is_spaced and before > 0 and text[before - 1] in _SENTENCE_ENDS


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

    A step is whole tokens, so that it can be continued from their ids: one that would end within a
    token extends to the end of that token. The end-of-text token belongs to the last step. Where
    the engine does not say which token wrote what, steps end by their text, and their counts are
    shares of the whole.
    """
    if completion.outputs and any(completion.outputs):
        return _measure_runs(completion, ending)
    texts = split_steps(completion.text, ending)
    if not texts:
        return ()
    ends = list(accumulate(map(len, texts)))
    if completion.token_texts is None:
        num = len(completion.token_ids)
        cuts = [0, *(num * end // ends[-1] for end in ends)]
    else:
        cuts = _whole_tokens(completion.token_texts, ends)
        texts = ["".join(completion.token_texts[a:b]) for a, b in pairwise(cuts)]
    logprobs = completion.logprobs
    return tuple(
        Step(
            text=text,
            num_tokens=end - begin,
            logprob=None if logprobs is None else sum(logprobs[begin:end], 0.0),
        )
        for text, (begin, end) in zip(texts, pairwise(cuts), strict=True)
    )


def _measure_runs(completion: Completion, ending: StepEnding) -> tuple[Step, ...]:
    """The steps of a solution with outputs, each of which is a step; blanks belong to it."""
    steps: list[Step] = []
    for is_output, run in runs_of(completion):
        if not is_output and (found := measure_steps(run, ending)):
            steps += found
        elif is_output or run.text:
            logprob = None if run.logprobs is None else sum(run.logprobs, 0.0)
            whole = Step(text=run.text, num_tokens=len(run.token_ids), logprob=logprob)
            steps = [*steps, whole] if is_output else [*steps[:-1], _joined(steps[-1:], whole)]
    return tuple(steps)


def _joined(before: Sequence[Step], step: Step) -> Step:
    """A step with what follows it."""
    if not before:
        return step
    (first,) = before
    one, other = first.logprob, step.logprob
    return Step(
        text=first.text + step.text,
        num_tokens=first.num_tokens + step.num_tokens,
        logprob=None if one is None or other is None else one + other,
    )


def _whole_tokens(pieces: Sequence[str], step_ends: Sequence[int]) -> list[int]:
    """[num_steps + 1] the number of tokens before each step, and of all.

    Args:
        pieces: [num_tokens] the text of each token.
        step_ends: where steps end in the text, in characters.
    """
    text = "".join(pieces)
    num_visible = len(text.rstrip())
    token_ends = list(accumulate(map(len, pieces)))
    cuts, begin = [0], 0
    for step_end in step_ends[:-1]:
        cut = bisect_left(token_ends, step_end) + 1
        end = token_ends[cut - 1]
        if end >= num_visible:
            break
        if text[begin:end].strip():
            cuts.append(cut)
        elif len(cuts) > 1:  # nothing visible is left of it: it belongs to the step before
            cuts[-1] = cut
        begin = end
    return [*cuts, len(pieces)]
