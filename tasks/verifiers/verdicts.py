r"""P(right) at the verdicts of a critique.

A verdict's score is P(right) / (P(right) + P(wrong)) where its word is written, from the model's
log probabilities before temperature (GenPRM, arXiv:2504.00891). Of words of several tokens the
first token that no word of the other kind has there is read. An engine in this process is asked for
exactly these tokens; a server tells only its most likely tokens, by their texts, and a kind of word
that is not among them gets at most what they leave over. Where nothing is told, the word decides:
1 or 0.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Self

from schemas.critique_formats import LinesCritiqueConfig, StepwiseCritiqueConfig
from schemas.engines import Completion
from schemas.generative import VerdictLayoutConfig
from tasks.critics.reading import PlacedVerdict, place_verdicts

_MOST_TOKENS = 50
"""Tokens of one kind that are looked up in a vocabulary; vLLM tells those of 128 at most."""
_BOXED = re.compile(
    r"\\boxed\{\s{0,3}(?:\\text\{)?\s{0,3}(incorrect|correct|yes|no)\b[ }]*", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class VerdictWords:
    """The words of a layout's verdicts."""

    right: tuple[str, ...]
    wrong: tuple[str, ...]
    contexts: tuple[str, ...]
    """What may stand before them, which decides how they are tokenized."""


WORDS: dict[str, VerdictWords] = {
    "lines": VerdictWords(("right",), ("wrong", "missing"), ("a: [b] ", "Answer: ")),
    "stepwise": VerdictWords(("correct", "right"), ("incorrect", "wrong"), ("Correctness: ",)),
    "genprm": VerdictWords(("Yes",), ("No",), ("**Judgement**: $\\boxed{", "\\boxed{")),
    "thinkprm": VerdictWords(("correct",), ("incorrect",), ("The step is \\boxed{",)),
}


@dataclass(frozen=True, slots=True)
class VerdictTokens:
    """The tokens at which words of both kinds part."""

    right: frozenset[int]
    wrong: frozenset[int]

    @property
    def ids(self) -> tuple[int, ...]:
        """All of them, in order."""
        return tuple(sorted(self.right | self.wrong))

    @classmethod
    def of(
        cls,
        encode: Callable[[str], Sequence[int] | None],
        words: VerdictWords,
        vocabulary: Mapping[str, int] | None = None,
    ) -> Self:
        """The tokens by an engine's encoding of texts; none if it has no encoding.

        Args:
            encode: from a text to its tokens.
            words: of the layout.
            vocabulary: ids by token; of those that begin with a whole word the shortest are added,
                since a token may contain more than the word, such as `wrong, add`.
        """
        found = {True: _begins(vocabulary, words.right), False: _begins(vocabulary, words.wrong)}
        for context in words.contexts:
            ids = {
                is_right: [tuple(encode(context + word) or ()) for word in _spellings(kind)]
                for is_right, kind in ((True, words.right), (False, words.wrong))
            }
            for is_right, mine in ids.items():
                for own in mine:
                    at = max(_first_difference(own, other) for other in ids[not is_right])
                    found[is_right] |= {*own[at : at + 1]}
        both = found[True] & found[False]
        return cls(frozenset(found[True] - both), frozenset(found[False] - both))


def find_verdicts(text: str, layout: VerdictLayoutConfig) -> list[PlacedVerdict]:
    """The verdicts on steps in a critique, in the order written."""
    if isinstance(layout, LinesCritiqueConfig | StepwiseCritiqueConfig):
        return place_verdicts(text, layout)[0]
    placed, begin = [], 0
    for found in _BOXED.finditer(text):
        is_right = found[1].lower() in ("yes", "correct")
        part = (begin, found.end())
        placed.append(PlacedVerdict("right" if is_right else "wrong", *found.span(1), part))
        begin = found.end()
    return placed


def read_verdict(
    completion: Completion,
    verdict: PlacedVerdict,
    offset: int,
    words: VerdictWords,
    tokens: VerdictTokens,
) -> float:
    """P(right) at a verdict.

    Args:
        completion: the part of the critique with the verdict.
        verdict: its place in the whole critique.
        offset: length of the text before the completion.
        words: of the layout.
        tokens: whose log probabilities were asked for.
    """
    is_right = verdict.verdict == "right"
    begin, end = verdict.begin - offset, verdict.end - offset
    for index, start in _tokens_between(completion, begin, end):
        if completion.named_logprobs is not None:
            if completion.token_ids[index] in (tokens.right if is_right else tokens.wrong):
                told = dict(zip(tokens.ids, completion.named_logprobs[index], strict=True))
                return _share([told[i] for i in tokens.right], [told[i] for i in tokens.wrong])
        elif completion.told is not None and completion.token_texts is not None:
            lead = completion.token_texts[index][: max(0, begin - start)]
            before = completion.text[begin : max(begin, start)]
            kinds = _sort_told(completion.told[index], lead, before, words)
            if kinds[is_right]:
                return _share(*_bounded(kinds, completion.told[index]))
    return float(is_right)


def _spellings(words: Sequence[str]) -> list[str]:
    """The words as they stand, in small letters, and with a capital."""
    return list(dict.fromkeys(w for word in words for w in (word, word.lower(), word.capitalize())))


def _begins(vocabulary: Mapping[str, int] | None, words: Sequence[str]) -> set[int]:
    """The tokens that begin with one of the words, white space aside."""
    either = "|".join(map(re.escape, words))
    begin = re.compile(rf"[\sĠ▁]*(?:{either})(?![^\W_])", re.IGNORECASE)
    fitting = [token for token in vocabulary or () if begin.match(token)]
    return {(vocabulary or {})[token] for token in sorted(fitting, key=len)[:_MOST_TOKENS]}


def _first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def _tokens_between(completion: Completion, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """The tokens that overlap these characters, each with where it begins."""
    pieces = completion.token_texts or ()
    bounds = pairwise(accumulate(map(len, pieces), initial=0))
    for index, (start, stop) in enumerate(bounds):
        if start < end and stop > begin:
            yield index, start


def _share(right: Sequence[float], wrong: Sequence[float]) -> float:
    """P(right) from the log probabilities of both kinds; .5 where both are 0."""
    highest = max((*right, *wrong), default=-math.inf)
    if highest == -math.inf:
        return 0.5
    p = math.fsum(math.exp(each - highest) for each in right)
    return p / (p + math.fsum(math.exp(each - highest) for each in wrong))


def _sort_told(
    told: Mapping[str, float], lead: str, before: str, words: VerdictWords
) -> dict[bool, list[float]]:
    """The log probabilities of tokens with which only words of one kind can go on.

    Args:
        told: by text.
        lead: what the written token has before the word.
        before: what is written of the word before this token.
        words: of the layout.
    """
    kinds: dict[bool, list[float]] = {True: [], False: []}
    for text, logprob in told.items():
        begun = (before + text.removeprefix(lead).lstrip()).lower()
        fits = {
            is_right: any(_agree(begun, word.lower()) for word in kind)
            for is_right, kind in ((True, words.right), (False, words.wrong))
        }
        if text.strip() and fits[True] != fits[False]:
            kinds[fits[True]].append(logprob)
    return kinds


def _agree(one: str, other: str) -> bool:
    """Whether one is the beginning of the other."""
    return one.startswith(other) or other.startswith(one)


def _bounded(
    kinds: dict[bool, list[float]], told: Mapping[str, float]
) -> tuple[list[float], list[float]]:
    """Both kinds; one that is not told gets at most what the told ones leave over."""
    if kinds[True] and kinds[False]:
        return kinds[True], kinds[False]
    left = 1 - math.fsum(map(math.exp, told.values()))
    least = min(min(told.values()), math.log(left) if left > 0 else -math.inf)
    return kinds[True] or [least], kinds[False] or [least]
