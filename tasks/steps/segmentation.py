"""Text to steps and back: the single definition of a step.

A step is a piece of a solution that ends after a separator, or at the end of the text. Steps keep
their separators, so joining them restores the text. A piece of white space alone is not a step: it
belongs to the step before it (public search code scores such empty last steps).
"""

from collections.abc import Sequence
from itertools import accumulate

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

    A token belongs to the step in which its last character lies; the end-of-text token, which
    has no characters, to the last step.
    """
    texts = split_steps(completion.text, separator)
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
