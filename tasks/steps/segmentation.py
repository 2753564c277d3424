"""Text to steps and back: the single definition of a step.

A step is a piece of a solution that ends after a separator, or at the end of the text. Steps keep
their separators, so joining them restores the text. A piece of white space alone is not a step: it
belongs to the step before it (public search code scores such empty last steps).
"""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import accumulate, pairwise

from schemas.engines import Completion
from schemas.rows import Step


def split_steps(text: str, separator: str) -> list[str]:
    """Cut a text after each separator; joining the steps restores the text.

    Returns:
        No step for a text of white space alone; otherwise every step has visible text.

    Raises:
        ValueError: the separator is empty.
    """
    if not separator:
        raise ValueError("the step separator must not be empty")
    pieces = text.split(separator)
    pieces = [piece + separator for piece in pieces[:-1]] + pieces[-1:]
    steps: list[str] = []
    leading = ""
    for piece in pieces:
        if piece.strip():
            steps.append(leading + piece)
            leading = ""
        elif steps:
            steps[-1] += piece
        else:
            leading += piece
    return steps


def step_body(step: str) -> str:
    """A step without the white space and separator at its end."""
    return step.rstrip()


def measure_steps(completion: Completion, separator: str) -> tuple[Step, ...]:
    """The steps of a completion with their token counts and summed log probabilities.

    A step is whole tokens, so that it can be continued from their ids: one that would end within a
    token extends to the end of that token. The end-of-text token belongs to the last step. Where
    the engine does not say which token wrote what, steps end by their text, and their counts are
    shares of the whole.
    """
    texts = split_steps(completion.text, separator)
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
