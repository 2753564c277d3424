"""Where a verifier reads each step: question and steps in, tokens and one position per step out.

The only place that determines positions. Training and serving both call `lay_out`, so they cannot
disagree; the other layouts are those that published verifiers were trained with, following their
authors' own code. All share two rules. The tokens of a prefix of the steps are a
prefix of the tokens of all, so a causal model's score never depends on later text; and nothing
follows the last position, so a new step costs only its own tokens.

What follows a step's text (separator, blank lines) is cut off first: public search code keeps it
and scores an empty last step, or reads a tag twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

from tasks.models.vocabulary import identify_vocabulary
from tasks.steps.segmentation import step_body

QWEN_SYSTEM = "Please reason step by step, and put your final answer within \\boxed{}."
"""The system message that Qwen2.5-Math-PRM was trained with."""
QWEN_TAG = "<extra_0>"
SHEPHERD_TAG = "ки"

_REMEMBERED_TEXTS = 1 << 14
_LAST_TOKENS = 4
"""Tokens before a separator's own in which it may begin, or after them in which it may end."""
PROBE = "So"
"""Text that may follow a prefix of which nothing else is known."""
_HERE = "\ue000"
"""A character that occurs in no text, put where a chat template is to be cut."""


@dataclass(frozen=True, slots=True)
class TokenLayout:
    """A solution as the verifier reads it."""

    token_ids: list[int]
    positions: list[int]
    """[num_steps], or [1] for the whole: index into `token_ids` of the token to read; for a
    likelihood, of each step's last token."""
    first: int = 0
    """For a likelihood: index of the first token of the first step."""


class Encoder:
    """Text to token ids, with a cache.

    A search scores one new step after a known prefix, thousands of times: tokenising the prefix
    again each time would take as long as the model does.
    """

    def __init__(self, tokenizer: Any) -> None:
        """Wrap a Hugging Face tokenizer."""
        self.tokenizer = tokenizer
        self._fast = getattr(tokenizer, "backend_tokenizer", None)
        self._remembered = lru_cache(_REMEMBERED_TEXTS)(self._encode)
        self._decoded = lru_cache(_REMEMBERED_TEXTS)(self._decode)

    @cached_property
    def vocabulary(self) -> str:
        """Identifies the vocabulary (see tasks.models.vocabulary)."""
        return identify_vocabulary(self.tokenizer)

    def __call__(self, text: str, *, add_special_tokens: bool = False) -> tuple[int, ...]:
        """The token ids of a text."""
        return self._remembered(text, add_special_tokens)

    def afresh(self, text: str) -> list[int]:
        """The token ids of a text that occurs once, without special tokens; not cached."""
        if self._fast is not None:  # the wrapper around it takes five times as long
            return self._fast.encode(text, add_special_tokens=False).ids
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def plain(self, text: str) -> list[int]:
        """The token ids of a text of others, in which names of special tokens are mere text."""
        if self._fast is None:
            return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)[
                "input_ids"
            ]
        before = self._fast.encode_special_tokens
        self._fast.encode_special_tokens = True
        try:
            return self.afresh(text)
        finally:
            self._fast.encode_special_tokens = before

    @cached_property
    def end_ids(self) -> frozenset[int]:
        """The tokens with which a sampled text may end; models have several."""
        return frozenset({self.tokenizer.eos_token_id, *self.tokenizer.all_special_ids} - {None})

    def is_ended(self, token_ids: Sequence[int], separator: str) -> bool:
        """Whether a step's tokens end with the separator, or with a token that goes beyond it.

        Only white space may follow it otherwise: a step can contain the separator elsewhere.
        """
        last = tuple(token_ids[-len(self(separator)) - _LAST_TOKENS :])
        text = self._decoded(last)
        end = text.rfind(separator) + len(separator)
        is_found = end >= len(separator)
        return is_found and (not text[end:].strip() or end > len(self._decoded(last[:-1])))

    def _decode(self, token_ids: tuple[int, ...]) -> str:
        return self.tokenizer.decode(token_ids, clean_up_tokenization_spaces=False)

    def beginning(self, text: str, following: str) -> tuple[list[int], int]:
        """The token ids of a text as they are when another text follows it.

        Returns:
            The tokens that end within the text, and where the last of them ends in characters.
        """
        if self._fast is None:  # it tells no offsets
            return self.afresh(text), len(text)
        encoding = self._fast.encode(text + following, add_special_tokens=False)
        ends = [end for _, end in encoding.offsets]
        num = next((i for i, end in enumerate(ends) if end > len(text)), len(ends))
        # A character of several tokens is given to each of them; none of them may be left alone.
        while num and num < len(ends) and encoding.offsets[num][0] < ends[num - 1]:
            num -= 1
        return encoding.ids[:num], ends[num - 1] if num else 0

    def _encode(self, text: str, add_special_tokens: bool) -> tuple[int, ...]:
        return tuple(self.tokenizer(text, add_special_tokens=add_special_tokens)["input_ids"])


def lay_out(
    encode: Encoder,
    prompt: str,
    steps: Sequence[str],
    separator: str,
    *,
    step_ids: Sequence[Sequence[int]] | None = None,
    has_chat_template: bool = False,
) -> TokenLayout:
    """The project's own verifiers: the policy's prompt, then each step, read after its separator.

    Sampled tokens are read as they are. Steps of which only the text is known are tokenised each
    on its own, whatever follows it in the text.

    Args:
        encode: the verifier's tokenizer.
        prompt: everything before the answer; it already contains its special tokens if
            `has_chat_template`.
        steps: [num_steps] step texts, with or without their separators.
        separator: what ends a step in this verifier's training data.
        step_ids: [num_steps] the steps' tokens in the verifier's own vocabulary, if known.
        has_chat_template: the prompt is a finished chat template.

    Raises:
        ValueError: `steps` is empty, or a step is.
    """
    bodies = step_bodies(steps)
    ids = [*encode(prompt, add_special_tokens=not has_chat_template)]
    positions = []
    for index, body in enumerate(bodies):
        if step_ids is None:
            ids += encode(end_step(body, separator))
        else:
            own = _without_end(encode, step_ids[index])
            ids += own if encode.is_ended(own, separator) else (*own, *encode(separator))
        positions.append(len(ids) - 1)
    return TokenLayout(ids, positions)


def end_step(body: str, separator: str) -> str:
    """A step's text with the separator at its end; one with a visible separator has it inside."""
    is_ended = bool(separator.strip()) and separator in body
    return body if is_ended else body + separator


def lay_out_lines(encode: Encoder, question: str, steps: Sequence[str]) -> TokenLayout:
    """Skywork-o1-PRM: the question and each step on a line, read at the step's line break.

    The break is tokenised on its own: with the step, a tokenizer might merge the two.

    Raises:
        ValueError: `steps` is empty, or a step is.
    """
    bodies = step_bodies(steps)
    ids = [*encode((encode.tokenizer.bos_token or "") + question + "\n")]
    positions = []
    for body in bodies:
        ids += (*encode(body), encode("\n")[-1])
        positions.append(len(ids) - 1)
    return TokenLayout(ids, positions)


def lay_out_tags(encode: Encoder, question: str, steps: Sequence[str]) -> TokenLayout:
    """Math-Shepherd: question and steps, each with the tag after it, read at the tag.

    Raises:
        ValueError: `steps` is empty, a step is, or a tag is not a token of its own.
    """
    first, *others = step_bodies(steps)
    pieces = [f"{question} {first} {SHEPHERD_TAG}"]
    pieces += [f"\n{body} {SHEPHERD_TAG}" for body in others]
    return _read_at_ends(encode, pieces, add_special_tokens=True)


def lay_out_turns(encode: Encoder, question: str, steps: Sequence[str]) -> TokenLayout:
    """RLHFlow: a chat in which every step is answered by `+`, read at the token before each `+`.

    Raises:
        ValueError: `steps` is empty, a step is, or `+` is not a token of its own.
    """
    first, *others = step_bodies(steps)
    messages = []
    for text in (f"{question} {first}", *others):
        messages.append({"role": "user", "content": text})
        messages.append({"role": "assistant", "content": _HERE})
    before, *between = _cut_chat(encode, messages, len(steps))
    return _read_at_ends(encode, [before, *("+" + piece for piece in between)], then="+")


def lay_out_extra(encode: Encoder, question: str, steps: Sequence[str]) -> TokenLayout:
    """Qwen2.5-Math-PRM: a chat whose answer has a special token after each step, read there.

    Raises:
        ValueError: `steps` is empty, or a step is.
    """
    messages = [
        {"role": "system", "content": QWEN_SYSTEM},
        {"role": "user", "content": question},
        {"role": "assistant", "content": "".join(body + _HERE for body in step_bodies(steps))},
    ]
    pieces = _cut_chat(encode, messages, len(steps))
    return _read_at_ends(encode, [piece + QWEN_TAG for piece in pieces])


def lay_out_whole(
    encode: Encoder,
    question: str,
    prompt: str,
    steps: Sequence[str],
    *,
    has_chat_template: bool = False,
) -> TokenLayout:
    """A reward model of whole answers: its own chat of question and answer, read at the end.

    A model without a chat template gets the policy's prompt and the answer after it.

    Raises:
        ValueError: `steps` is empty, or a step is.
    """
    step_bodies(steps)
    answer = step_body("".join(steps))
    if encode.tokenizer.chat_template is None:
        ids = [*encode(prompt, add_special_tokens=not has_chat_template), *encode(answer)]
    else:
        messages = [
            {"role": "user", "content": question},
            {"role": "assistant", "content": answer},
        ]
        ids = [*encode(encode.tokenizer.apply_chat_template(messages, tokenize=False))]
    return TokenLayout(ids, [len(ids) - 1])


def lay_out_text(
    encode: Encoder,
    prompt: str,
    steps: Sequence[str],
    *,
    step_ids: Sequence[Sequence[int]] | None = None,
    is_whole: bool,
    has_chat_template: bool = False,
) -> TokenLayout:
    """A likelihood: prompt and solution as the policy itself would write them, all of it read.

    Sampled tokens are read as they are; a solution of which only the text is known is tokenised as
    one text. What follows a step is part of it, since the policy had to write that too. One
    end-of-text token, the sampled one if it is known, follows a whole solution and belongs to its
    last step, as it does in a trajectory's log probabilities.

    Raises:
        ValueError: `steps` is empty, a step is, or a token spans two steps.
    """
    step_bodies(steps)
    ids = [*encode(prompt, add_special_tokens=not has_chat_template)]
    if step_ids is None:
        is_ended = steps[-1] != step_body(steps[-1]) and not is_whole
        answer = _read_at_ends(encode, steps, then=PROBE if is_ended else "")
    else:
        known = [_without_end(encode, each) for each in step_ids]
        ends = accumulate(map(len, known))
        answer = TokenLayout([i for each in known for i in each], [end - 1 for end in ends])
    positions = [len(ids) + position for position in answer.positions]
    whole = ids + answer.token_ids
    if is_whole:
        end = step_ids[-1][-1] if step_ids and step_ids[-1] else None
        whole.append(end if end in encode.end_ids else encode.tokenizer.eos_token_id)
        positions[-1] += 1
    return TokenLayout(whole, positions, first=len(ids))


def step_bodies(steps: Sequence[str]) -> list[str]:
    """The steps without what follows their text."""
    if not steps:
        raise ValueError("expected at least one step to score, got none")
    bodies = [step_body(step) for step in steps]
    for index, body in enumerate(bodies):
        if not body:
            raise ValueError(f"step {index} is empty: expected visible text, got {steps[index]!r}")
    return bodies


def _without_end(encode: Encoder, ids: Sequence[int]) -> list[int]:
    """Sampled tokens without an end of text."""
    return [*ids[:-1]] if len(ids) and ids[-1] in encode.end_ids else [*ids]


def _cut_chat(encode: Encoder, messages: list[dict[str, str]], num_cuts: int) -> list[str]:
    """A chat as text, cut at the marks in its messages; what follows the last mark is dropped."""
    text = encode.tokenizer.apply_chat_template(messages, tokenize=False)
    pieces = text.split(_HERE)
    if len(pieces) != num_cuts + 1:
        raise ValueError(
            f"expected the chat template to keep {num_cuts} marks, it kept {len(pieces) - 1}"
        )
    return pieces[:-1]


def _read_at_ends(
    encode: Encoder, pieces: Sequence[str], *, then: str = "", add_special_tokens: bool = False
) -> TokenLayout:
    """The tokens of the joined pieces, read at the last token of each piece.

    What follows the last piece is `then`: it affects how that piece is tokenised, and is not read.
    """
    tokens = encode.tokenizer(
        "".join(pieces) + then, add_special_tokens=add_special_tokens, return_offsets_mapping=True
    )
    places = {end: i for i, (begin, end) in enumerate(tokens["offset_mapping"]) if end > begin}
    positions = []
    for index, end in enumerate(accumulate(map(len, pieces))):
        if end not in places:
            raise ValueError(
                f"step {index}: expected a token to end where it is read, after "
                f"{pieces[index][-8:]!r}; the tokenizer joins it with what follows"
            )
        positions.append(places[end])
    return TokenLayout(tokens["input_ids"][: positions[-1] + 1], positions)
