"""From a prompt to the token ids an engine reads, and from a continuation's ids back to text."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, TypedDict

from schemas.errors import ModelUnusable
from tasks.verifiers.layout import PROBE, Encoder


class Written(TypedDict):
    """The text of a completion, and the piece that each token wrote."""

    text: str
    token_texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Start:
    """What an engine reads before a continuation."""

    token_ids: list[int]
    """Of the prompt and the beginning of its answer."""
    tail: str = ""
    """The end of the answer's beginning that is in no token, since the token that it would be a
    part of goes beyond it; a continuation writes it again."""

    def without_tail(self, text: str, pieces: Sequence[str]) -> Written:
        """The text of a continuation and its pieces, without the tail if it begins with that."""
        num = len(self.tail) if text.startswith(self.tail) else 0
        begins = accumulate(map(len, pieces), initial=0)
        cut = [piece[max(num - at, 0) :] for piece, at in zip(pieces, begins, strict=False)]
        return Written(text=text[num:], token_texts=tuple(cut))


def start_of(
    encode: Encoder,
    prompt: str,
    prefix: str = "",
    *,
    prefix_ids: Sequence[int] | None = None,
    following: str = "",
    has_chat_template: bool,
) -> Start:
    """The tokens of a prompt and of the beginning of its answer.

    A text that is encoded alone may end in another token than the one its writer sampled: many
    tokenizers write two line breaks before a word as two tokens, and two at the end of a text as
    one. So the beginning is given as the tokens that were sampled, or, where only its text is
    known, encoded together with what follows it.

    Args:
        encode: the model's tokenizer.
        prompt: gets the tokenizer's special tokens, unless `has_chat_template`.
        prefix: the first steps of the answer; it gets no special tokens.
        prefix_ids: the sampled tokens of the prefix; None if only its text is known.
        following: what the writer of the prefix wrote after it, if that is known.
        has_chat_template: the prompt already contains its special tokens.
    """
    token_ids = [*encode(prompt, add_special_tokens=not has_chat_template)]
    if prefix_ids is not None:
        return Start([*token_ids, *prefix_ids])
    if not prefix:
        return Start(token_ids)
    known, end = encode.beginning(prefix, following or PROBE)
    return Start(token_ids + known, prefix[end:])


def check_separator(tokenizer: Any, separator: str, model: str) -> None:
    """Refuse a tokenizer that cannot give the text between two steps back.

    Such a tokenizer drops or joins white space, so no step of its texts would ever end.

    Raises:
        ModelUnusable: says what became of the separator.
    """
    text = f"5{separator}5"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = TokenDecoder(tokenizer).decode(ids)
    if separator not in found:
        raise ModelUnusable(
            f"policy {model}: expected a tokenizer that gives a text back, since its steps end "
            f"with {separator!r}; it turns {text!r} into {found!r}: choose another prompt.separator"
        )


def ending_tokens(tokenizer: Any, stop: str) -> frozenset[int] | None:
    """The tokens that end in a stop string, if a text can contain it only as the end of a token.

    None where it may be inside a token or span several: then the text must be searched.
    """
    if len(stop) != 1 or not stop.isascii():
        return None
    found = set()
    for token_id in range(len(tokenizer)):
        text = tokenizer.decode([token_id], clean_up_tokenization_spaces=False)
        if stop in text[:-1]:
            return None
        if text.endswith(stop):
            found.add(token_id)
    return frozenset(found) or None


class TokenDecoder:
    """Decodes continuations of one tokenizer; special tokens have no text.

    Some tokenizers drop the space before a text's first word, which a continuation must keep.
    So everything is decoded after an added first word, which is then cut off.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._first_word: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"][-1:]
        self._first_text = self._decode_all(self._first_word)
        self._pieces: dict[int, str] = {}

    @property
    def num_tokens(self) -> int:
        """Ids that the tokenizer has, from 0."""
        return len(self._tokenizer)

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of a continuation."""
        return self._decode_all([*self._first_word, *token_ids]).removeprefix(self._first_text)

    def split(self, text: str, token_ids: Sequence[int]) -> tuple[str, ...]:
        """[num_tokens] pieces that join to the text.

        A character of several tokens is in the piece of the last of them; special tokens are "".
        """
        pieces = self._pieces
        for token_id in set(token_ids).difference(pieces):
            pieces[token_id] = self.decode([token_id])
        split = tuple([pieces[token_id] for token_id in token_ids])
        return split if "".join(split) == text else self._split_slowly(text, token_ids)

    def _split_slowly(self, text: str, token_ids: Sequence[int]) -> tuple[str, ...]:
        """The pieces of a text with tokens that mean nothing alone."""
        ends = [0]
        for num in range(1, len(token_ids)):
            written = self.decode(token_ids[:num])
            ends.append(max(ends[-1], _num_common(written, text)))
        ends.append(len(text))
        return tuple(text[begin:end] for begin, end in pairwise(ends))

    def _decode_all(self, token_ids: list[int]) -> str:
        return self._tokenizer.decode(
            token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )


def _num_common(one: str, other: str) -> int:
    """The number of first characters that two texts have in common."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
