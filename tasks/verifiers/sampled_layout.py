"""A sampled solution as a reward model reads it, and where each sampled token is in there.

The sampled tokens are read as they are, so the reward model must share the policy's vocabulary. A
token-classification verifier reads what `lay_out` makes of them, and its reward after the last
step. A reward model of whole answers reads its own chat if it has one and the bare question is
known, otherwise the policy's prompt, and its reward at the end. What a model reads besides the
sampled tokens (prompt, separators, ends of a chat) gets no credit, and neither does a sampled end
of text, which it does not read.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.engines import VerifierFamily
from tasks.verifiers.families import Verifier
from tasks.verifiers.layout import Encoder

CREDITING: tuple[VerifierFamily, ...] = ("token_classification", "orm")
"""The families whose texts hold the sampled tokens."""

_HERE = "\ue000"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampledSolution:
    """A solution by its tokens."""

    before: Sequence[int]
    """What the policy read: the prompt, and the beginning of the solution if it was given."""
    steps: Sequence[Sequence[int]]
    """[num_steps] the sampled tokens of each step that was kept."""
    num_tokens: int
    """All sampled tokens; those after the steps are an end of text or a stop string."""
    question: str = ""
    """The bare question, for reward models with a chat of their own; empty if not known."""


@dataclass(frozen=True, slots=True)
class SampledLayout:
    """A solution as a model reads it."""

    token_ids: list[int]
    position: int
    """Index of the token at which the reward is read."""
    columns: list[int | None]
    """[num_sampled] index of each sampled token; None for one that is not read."""


def lay_out_sampled(verifier: Verifier, solution: SampledSolution) -> SampledLayout:
    """How a verifier of a family in `CREDITING`, with the policy's vocabulary, reads a solution.

    Raises:
        ValueError: the family is another, or its chat cannot be made.
    """
    if verifier.family == "token_classification":
        return _in_steps(verifier, solution)
    if verifier.family == "orm":
        return _in_chat(verifier.encode, solution)
    raise ValueError(
        f"expected a reward model of family {' or '.join(CREDITING)}, got {verifier.family}"
    )


def lay_out_written(solution: SampledSolution, ends: Sequence[int] = ()) -> SampledLayout:
    """How the policy itself reads what it wrote.

    Args:
        solution: the solution.
        ends: the sampled tokens after the steps.
    """
    sampled = [*_joined(solution), *ends]
    begin = len(solution.before)
    columns: list[int | None] = [*range(begin, begin + len(sampled))]
    columns += [None] * (solution.num_tokens - len(sampled))
    return SampledLayout([*solution.before, *sampled], begin + len(sampled) - 1, columns)


def _in_steps(verifier: Verifier, solution: SampledSolution) -> SampledLayout:
    encode, separator = verifier.encode, verifier.separator
    ids, columns = [*solution.before], []
    for step in solution.steps or [()]:
        own = [*step[: len(step) - _num_ends(encode, step)]]
        columns += [*range(len(ids), len(ids) + len(own)), *[None] * (len(step) - len(own))]
        ids += own if encode.is_ended(own, separator) else (*own, *encode(separator))
    columns += [None] * (solution.num_tokens - len(columns))
    return SampledLayout(ids, len(ids) - 1, columns)


def _in_chat(encode: Encoder, solution: SampledSolution) -> SampledLayout:
    sampled = _joined(solution)
    num_read = len(sampled) - _num_ends(encode, sampled)
    before, after = [*solution.before], []
    if encode.tokenizer.chat_template is not None and solution.question:
        before, after = _around_answer(encode, solution.question)
    columns: list[int | None] = [*range(len(before), len(before) + num_read)]
    columns += [None] * (solution.num_tokens - num_read)
    ids = [*before, *sampled[:num_read], *after]
    return SampledLayout(ids, len(ids) - 1, columns)


def _around_answer(encode: Encoder, question: str) -> tuple[list[int], list[int]]:
    """The tokens of the model's own chat before the answer and after it.

    Raises:
        ValueError: the template does not keep the answer as it is.
    """
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": _HERE}]
    text = encode.tokenizer.apply_chat_template(messages, tokenize=False)
    before, found, after = text.partition(_HERE)
    if not found:
        raise ValueError("expected a chat template that keeps the answer as it is")
    return [*encode(before)], [*encode(after)]


def _joined(solution: SampledSolution) -> list[int]:
    return [token for step in solution.steps for token in step]


def _num_ends(encode: Encoder, ids: Sequence[int]) -> int:
    """Whether the last sampled token ends the text, as 0 or 1."""
    return int(bool(len(ids)) and ids[-1] in encode.end_ids)
