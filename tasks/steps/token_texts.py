"""From a prompt to the token ids an engine reads, and from a continuation's ids back to text."""

from collections.abc import Sequence
from typing import Any

from tasks.verifiers.layout import Encoder


def prompt_token_ids(
    encode: Encoder, prompt: str, prefix: str = "", *, has_chat_template: bool
) -> list[int]:
    """The ids of a prompt and of the beginning of its answer, as engines and trainings read them.

    Args:
        encode: the model's tokenizer.
        prompt: gets the tokenizer's special tokens, unless `has_chat_template`.
        prefix: the first steps of the answer; it gets no special tokens.
        has_chat_template: the prompt already contains its special tokens.
    """
    token_ids = [*encode(prompt, add_special_tokens=not has_chat_template)]
    if prefix:
        token_ids += encode.afresh(prefix)
    return token_ids


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

    def decode(self, token_ids: Sequence[int]) -> str:
        """The text of a continuation."""
        return self._decode_all([*self._first_word, *token_ids]).removeprefix(self._first_text)

    def split(self, text: str, token_ids: Sequence[int]) -> tuple[str, ...] | None:
        """[num_tokens] pieces that join to the text; None where a token is part of a character.

        What the last token has behind the end of the text, a stop string in it, is in no piece.
        """
        pieces = self._pieces
        for token_id in set(token_ids).difference(pieces):
            pieces[token_id] = self.decode([token_id])
        split = tuple([pieces[token_id] for token_id in token_ids])
        joined = "".join(split)
        if joined == text:
            return split
        rest = len(joined) - len(text)
        if not joined.startswith(text) or not 0 < rest < len(split[-1]):
            return None
        return (*split[:-1], split[-1][:-rest])

    def _decode_all(self, token_ids: list[int]) -> str:
        return self._tokenizer.decode(
            token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
