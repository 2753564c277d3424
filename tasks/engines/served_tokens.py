"""The tokens of a served model, by the tokenizer that its config names.

With it, prefixes are sent as the tokens that were sampled, and steps of what comes back are whole
tokens, as with an engine in this process.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schemas.engines import UNTOLD_TOKEN, Completion, GenerationRequest
from schemas.errors import AnswerRejected
from tasks.steps.token_texts import Start, TokenDecoder, start_of
from tasks.verifiers.layout import Encoder


@dataclass(frozen=True, slots=True)
class Codec:
    """A tokenizer in both directions."""

    encode: Encoder
    decoder: TokenDecoder
    vocabulary: str
    name: str
    """Where it was loaded from, for messages."""

    @classmethod
    def load(cls, folder_or_id: str) -> "Codec":
        """The codec of a model's tokenizer.

        Raises:
            ModelUnusable: no such folder or id exists.
        """
        from tasks.models.folders import load_tokenizer, resolve_model

        tokenizer = load_tokenizer(resolve_model(folder_or_id))
        encode = Encoder(tokenizer)
        return cls(encode, TokenDecoder(tokenizer), encode.vocabulary, folder_or_id)

    def start_of(self, request: GenerationRequest) -> Start:
        """What the server is to continue."""
        return start_of(
            self.encode,
            request.prompt,
            request.prefix,
            prefix_ids=request.prefix_ids,
            following=request.following,
            has_chat_template=request.has_chat_template,
        )

    def complete(self, completion: Completion, start: Start) -> Completion:
        """A completion with the text of its tokens, and their pieces; as it is without ids.

        Raises:
            AnswerRejected: the tokens are not those of the server's text.
        """
        ids: Sequence[int] = completion.token_ids
        if UNTOLD_TOKEN in ids:
            return completion
        if ids and max(ids) >= self.decoder.num_tokens:
            raise AnswerRejected(
                f"policy.tokenizer {self.name!r}: expected ids below {self.decoder.num_tokens}, "
                f"got {max(ids)}"
            )
        text = self.decoder.decode(ids)
        # A server cuts a text at a stop string, and leaves out half of a character at its end.
        if not text.strip().startswith(completion.text.strip().rstrip("\ufffd")):
            raise AnswerRejected(
                f"policy.tokenizer {self.name!r}: expected that of the served model, whose tokens "
                f"{list(ids)[:20]} are {completion.text[:80]!r}; it decodes them to {text[:80]!r}"
            )
        pieces = self.decoder.split(text, ids)
        return replace(completion, **start.without_tail(text, pieces))
