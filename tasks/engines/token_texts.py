"""From token ids back to text, once per continuation, and to the piece of text of each token."""

from collections.abc import Sequence
from typing import Any


class TokenDecoder:
    """Decodes continuations of one tokenizer; special tokens have no text.

    Some tokenizers drop the space in front of a text's first word, which a continuation must
    keep: everything is decoded behind a first word, which is cut off again.
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
        """[num_tokens] pieces that joined are the text; None where a token is half a character."""
        pieces = self._pieces
        for token_id in set(token_ids).difference(pieces):
            pieces[token_id] = self.decode([token_id])
        split = tuple([pieces[token_id] for token_id in token_ids])
        return split if "".join(split) == text else None

    def _decode_all(self, token_ids: list[int]) -> str:
        return self._tokenizer.decode(
            token_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
