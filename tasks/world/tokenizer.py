"""The tokenizer of the built-in world: a few hundred whole words, digits one by one.

Every text the world or its students can write is decoded exactly, and so is any other ASCII text,
with a token per character. The tokenizer itself puts `<s>` before a prompt, so a policy takes plain
text in transformers and in vLLM alike.
"""

import re
from typing import TYPE_CHECKING, get_args

from tasks.world.kinds import CONTAINERS, DAYS, KINDS, NAMES, THINGS
from tasks.world.students import Hint
from tasks.world.voice import PHRASES

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

MAX_TOKENS = 384
"""Context of the shipped policy in tokens.

A question and a solution take up to about 200, with a review and a second attempt up to about 350.
"""

_SPECIAL = ("<pad>", "<s>", "</s>", "<unk>")
_OPERATORS = (" + ", " - ", " * ", " / ", " = ")
_VERBS = ("buys", "finds", "wins", "sells", "loses", "uses", "gets", "hands", "sees", "paints")
_PHRASES = (
    *("has", "gives", "from", "to", "for", "now has", "fewer", "than", "twice", "Each of"),
    *("friends gives", "on each of", "days", "of", "does", "have now"),
)
_REVIEWS = (
    *("Review:\n", "Again:\n", "Key:\n", "Attempt:\n", "Review: "),
    *(f"{verdict}, {hint}" for verdict in ("wrong", "missing") for hint in get_args(Hint)),
    *("right", "wrong", "missing"),
)
"""Longer ones first: a step's verdict is one token, with what to do instead."""
_WORDS = sorted(
    {*NAMES, *THINGS, *CONTAINERS, *_VERBS, *_PHRASES}, key=lambda word: (-len(word), word)
)


def build_tokenizer() -> "PreTrainedTokenizerFast":
    """The tokenizer, ready to be saved with a policy."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = _vocabulary()
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(_token_pattern()), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", vocabulary["<s>"])]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
        model_max_length=MAX_TOKENS,
    )


def _token_pattern() -> str:
    """The pattern of one token: words include the spaces around them, cues their brackets."""
    days = "|".join(DAYS)
    words = "|".join(_WORDS)
    phrases = "|".join(re.escape(phrase) for phrase in (*PHRASES, *_REVIEWS))
    return (
        rf"{phrases}|(?:{days}): |\[[a-z ]+\] |\. |Answer: |How many |"
        rf"(?: ?\b(?:{words})\b ?)| [-+*/=] |[\s\S]"
    )


def _vocabulary() -> dict[str, int]:
    """Every token with its id; ids are part of a checkpoint, so the order must never change."""
    tokens = [
        *_SPECIAL,
        *"0123456789",
        *("\n", *_OPERATORS, "Answer: ", "How many ", ". "),
        *(f"{day}: " for day in DAYS),
        *(f"[{kind.cue}] " for kind in KINDS.values()),
    ]
    for word in _WORDS:
        tokens += [word, f" {word}", f"{word} ", f" {word} "]
    tokens += [chr(code) for code in range(32, 127)]
    tokens += [*_REVIEWS, *PHRASES]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}
