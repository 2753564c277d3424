"""Which sampled token wrote what: the pieces of a solution's text, and its steps in tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from schemas.engines import Completion
from schemas.steps import StepEnding
from tasks.steps.segmentation import measure_steps
from tasks.steps.token_ids import split_ids
from tasks.steps.token_texts import TokenDecoder


@dataclass(frozen=True, slots=True)
class SampledText:
    """A sampled text by its tokens."""

    token_ids: tuple[int, ...]
    """All that were sampled."""
    pieces: tuple[str, ...]
    """[num_tokens] what each wrote; the kept ones join to the text."""
    num_kept: int
    """First tokens that belong to the text; the others are an end of text or a stop string."""

    @property
    def text(self) -> str:
        """The text of the kept tokens."""
        return "".join(self.pieces[: self.num_kept])

    def steps(self, ending: StepEnding) -> list[tuple[int, ...]]:
        """[num_steps] the kept tokens of each step."""
        kept = self.token_ids[: self.num_kept]
        steps = measure_steps(
            Completion(
                text=self.text,
                token_ids=kept,
                logprobs=None,
                finish_reason="stop",
                stop_string=None,
                token_texts=self.pieces[: self.num_kept],
            ),
            ending,
        )
        return split_ids(kept, [step.num_tokens for step in steps]) if steps else []

    def last_tokens(self, ends: Sequence[int]) -> list[int]:
        """[num_ends] index of the last token that begins before each place in the text, or 0."""
        starts = list(accumulate(map(len, self.pieces[: self.num_kept]), initial=0))[:-1]
        return [max(sum(start < end for start in starts) - 1, 0) for end in ends]


def align(decoder: TokenDecoder, token_ids: Sequence[int], text: str) -> SampledText:
    """What each sampled token wrote.

    Args:
        decoder: of the tokenizer that sampled them.
        token_ids: all sampled tokens.
        text: what was kept of their text: a stop string may be cut off at its end, and at its
            beginning what the tokens repeat of the text before them.

    Raises:
        ValueError: the tokens do not write the text.
    """
    whole = decoder.decode(token_ids)
    begin = 0 if whole.startswith(text) else whole.find(text)
    if begin < 0:
        raise ValueError(
            f"expected sampled tokens that write {text[:80]!r}, they write {whole[:80]!r}"
        )
    pieces = []
    for piece in decoder.split(whole, token_ids):
        cut = min(begin, len(piece))
        pieces.append(piece[cut:])
        begin -= cut
    starts = list(accumulate(map(len, pieces), initial=0))[:-1]
    num_kept = sum(start < len(text) for start in starts)
    return SampledText(tuple(token_ids), tuple(pieces), num_kept)
