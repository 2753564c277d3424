r"""One form for the many ways of writing an answer; plain numbers become exact fractions.

A plain number (`plain_numbers`) is compared as a fraction, without rounding: 0.333333 is not 1/3,
and 1e-7 is not 2e-7. Deliberate choices:

- A comma (or thin space, `10\,080`) before each group of three digits is a thousands separator;
  `3,5` is a list.
- Units are dropped (`units`): the question says which it wants. So `$18`, `18 dollars`,
  `18\text{ cm}`, `5 m/s` and `18^\circ` are numbers, while `5t` and `3 ab` stay products.
- `million` and the like are not units: they multiply.
- Percent is a hundredth: 10% is 1/10 and 0.1, never 10; or the sign is dropped, as configured.
- `52_8` is a numeral of base 8: equal to `52` (the question says the base), never to `52_9`.
- `The answer is`, `\approx` and their like before an answer are dropped.

Words (`\text{Evelyn}`, `(C)`, `no solution`) are compared without case and markup. An option with
its text (`(C) 15`, `D: none`) is its letter, and also its text if the other answer is not a letter.
Prose is right if it has the same words; the meaning of other words is not judged.
"""

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from tasks.graders.plain_numbers import read_number
from tasks.graders.shapes import split_parts
from tasks.graders.spelling import tidy
from tasks.graders.units import is_word, split_unit

_INTEGER = re.compile(r"-?\d+")
_WHOLE_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_CHOICE = re.compile(r"\(?(?:\\text\{\s*([A-Za-z])\s*\}|([A-Za-z]))[).]?")
_OPTION = re.compile(
    r"(?:\\text\{\s*)?(?:option |choice )?"
    r"(?:\((?P<bracketed>[A-J])\)|(?P<bare>[A-J])\s*(?:[).:]))\}?\s*(?P<content>.+)"
)
_WORDS = re.compile(r"[^\W\d_][^\W\d_' -]*(?:[' -]+[^\W\d_]+)*")
_LONG_WORD = re.compile(r"[^\W\d_]{3}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{2}")
_HAN = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_LEAD = re.compile(
    r"(?:\\(?:approx|therefore|Rightarrow|implies|sim|cdot)(?![A-Za-z])\s*|=\s*"
    r"|(?:\\text\{\s*)?(?:so|thus|hence|therefore|then)?,?\s*(?:(?:the|my|our)\s+)?"
    r"(?:final\s+|correct\s+)?(?:answer|solution|result)s?\s*(?:is|are|=|:)(?![A-Za-z])\s*:?"
    r"(?:\s*\})?\s*"
    r"|(?:\\text\{\s*)?(?:option|choice)\s+(?=\(?[A-J]\)?\}?$)"
    r"|(?:\\text\{\s*)?(?:about|approximately|exactly)(?:\s*\}\s*|\s+))",
    re.IGNORECASE,
)
_STATEMENT = re.compile(
    r"(?:the|my|our)\s[A-Za-z][A-Za-z ]{0,40}?\s(?:is|are|equals)\s(?=\S*\d)", re.IGNORECASE
)
_TEXT_COMMAND = re.compile(r"\\text\{([^{}]*)\}")
_COMMAND = re.compile(r"\\[A-Za-z]+|\\.")
_LETTERS = re.compile(r"[^\W\d_]+")
_EVERY_NUMBER = re.compile(r"(?:all|any) reals?(?: numbers?)?|\\mathbb\{?R\}?", re.IGNORECASE)
_LABEL = re.compile(r"[A-Z][a-z]+ \d+")
_CLOCK = re.compile(
    r"(\d{1,2}(?::\d\d){0,2})\s*(?:\\text\{)?\s*([ap])\.?\s?m\.?\s*\}?", re.IGNORECASE
)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\s*\{[^{}]*\}(?:\{[^{}]*\})?")
_PROSE_WORDS = 2
_SPOKEN = frozenset(
    ("at", "is", "of", "the", "we", "are", "this", "that", "it", "on", "all", "yes")
)
"""One of these words makes an answer prose."""
_MAX_UNITS = 2


class Kind(Enum):
    """How far a form can be compared without a computer algebra system."""

    NUMBER = "number"
    LETTER = "letter"
    WORDS = "words"
    PROSE = "prose"
    EXPRESSION = "expression"
    OVERLONG = "overlong"


@dataclass(frozen=True, slots=True)
class NormalForm:
    """An answer prepared for comparison."""

    kind: Kind
    latex: str
    """The text for a parser; the original text if it is overlong."""
    number: Fraction | None = None
    base: int | None = None
    """Base written after a numeral; `number` is then its digits read as decimal ones."""
    content: "NormalForm | None" = None
    """The text after the letter of an option."""

    @property
    def key(self) -> tuple[object, ...]:
        """Equal keys are equal answers; unequal keys may be equal answers too."""
        if self.kind is Kind.NUMBER:
            return (self.number, self.base)
        if self.kind is Kind.LETTER:
            return (self.latex.casefold(), self.content.key if self.content is not None else None)
        if self.kind is Kind.WORDS:
            return (self.latex.casefold(),)
        return (self.latex,)

    @property
    def is_plain_number(self) -> bool:
        """A number in the usual base, equal to another exactly when the keys are."""
        return self.kind is Kind.NUMBER and self.base is None


def normal_form(answer: str, *, drop_percent: bool = False, max_chars: int = 1000) -> NormalForm:
    """Read an answer as a number, a word or an expression.

    Args:
        answer: bare answer, as extracted.
        drop_percent: read `10%` as 10.
        max_chars: longer answers are left unchanged, as `OVERLONG`.
    """
    if len(answer) > max_chars:
        return NormalForm(Kind.OVERLONG, answer)
    if _INTEGER.fullmatch(answer):
        return _number_form(Fraction(int(answer)))
    latex = tidy(answer)
    if drop_percent:
        latex = latex.replace("\\%", "").replace("%", "")
    return _read(latex)


def same_form(a: NormalForm, b: NormalForm) -> bool | None:
    """Compare two forms; None if that takes algebra or one of them is overlong."""
    if a.kind is b.kind and a.key == b.key:
        return True
    kinds = {a.kind, b.kind}
    if kinds == {Kind.LETTER}:
        return a.latex.casefold() == b.latex.casefold()
    if kinds == {Kind.NUMBER}:
        # A numeral's base may be left out, but not differ.
        return a.number == b.number and (a.base is None or b.base is None)
    if kinds <= {Kind.LETTER, Kind.WORDS} or kinds == {Kind.WORDS, Kind.NUMBER}:
        return _option_content(a, b) or False
    return None


def _option_content(a: NormalForm, b: NormalForm) -> bool | None:
    """Compare the text of an option with an answer that is not a letter."""
    option, other = (a, b) if a.content is not None else (b, a)
    return None if option.content is None else same_form(option.content, other)


def _read(latex: str, *, is_option: bool = False, num_units: int = 0) -> NormalForm:
    number = _read_quantity(latex)
    if number is not None:
        return number
    whole = _WHOLE_TEXT.fullmatch(latex)
    if whole is not None:
        latex = whole.group(1).strip().rstrip(".")
    without_lead = _drop_lead(latex)
    if without_lead != latex:
        return _read(without_lead, is_option=is_option)
    statement = _STATEMENT.match(latex)
    if statement is not None or whole is not None:
        number = _read_quantity(latex[statement.end() if statement is not None else 0 :])
        if number is not None:
            return number
    choice = _CHOICE.fullmatch(latex)
    if choice is not None:
        return NormalForm(Kind.LETTER, choice.group(1) or choice.group(2))
    option = None if is_option else _OPTION.fullmatch(latex)
    if option is not None and not option["content"].startswith(("(", "=", "\\cup", "\\cap")):
        content = _read(_close_text(option["content"].strip(" .:\\")), is_option=True)
        return NormalForm(Kind.LETTER, option["bracketed"] or option["bare"], content=content)
    clock = _CLOCK.fullmatch(latex)
    if clock is not None and ":" in clock.group(1):
        return NormalForm(Kind.WORDS, f"{clock.group(1).lstrip('0')} {clock.group(2).lower()}m")
    if _EVERY_NUMBER.fullmatch(latex):
        return NormalForm(Kind.EXPRESSION, "(-\\infty,\\infty)")
    if _WORDS.fullmatch(latex) and (whole is not None or _LONG_WORD.search(latex)):
        return NormalForm(Kind.WORDS, " ".join(latex.split()))
    if _LABEL.fullmatch(latex):
        return NormalForm(Kind.WORDS, latex)
    parts = split_parts(latex)
    is_list = len(parts) > 1 and all(_read_quantity(part) is not None for part in parts)
    if not is_list and _is_prose(latex, is_text=whole is not None):
        return NormalForm(Kind.PROSE, _plain_prose(latex))
    if whole is None and num_units < _MAX_UNITS:
        split = split_unit(latex)
        if split is not None and split[1] == 1:
            return _read(split[0], num_units=num_units + 1)
    return NormalForm(Kind.EXPRESSION, latex)


def _read_quantity(latex: str) -> NormalForm | None:
    """A plain number with or without a unit."""
    number = read_number(latex)
    if number is None and (split := split_unit(latex)) is not None:
        number = read_number(*split)
    if number is None:
        return None
    if number.base is not None:
        return NormalForm(Kind.NUMBER, latex, number.value, number.base)
    return _number_form(number.value, number.decimal)


def _number_form(value: Fraction, latex: str | None = None) -> NormalForm:
    """Form of a plain number; written as a decimal only if the answer was."""
    if latex is None:
        top, bottom = value.numerator, value.denominator
        latex = str(top) if bottom == 1 else f"\\frac{{{top}}}{{{bottom}}}"
    return NormalForm(Kind.NUMBER, latex, value)


def _drop_lead(latex: str) -> str:
    r"""The answer without `The answer is`, `\approx` and their like before it."""
    while (lead := _LEAD.match(latex)) is not None and lead.end() < len(latex):
        latex = _close_text(latex[lead.end() :].strip())
    return latex


def _close_text(latex: str) -> str:
    r"""The rest of a text whose `\text{` was cut off together with the text before it."""
    return latex[:-1] if latex.count("}") == latex.count("{") + 1 else latex


def _is_prose(latex: str, *, is_text: bool) -> bool:
    if _HAN.search(latex):
        return True
    bare = _COMMAND.sub(" ", _TEXT_COMMAND.sub(r" \1 ", _ENVIRONMENT.sub(" ", latex)))
    words = _LETTERS.findall(bare)
    if _SPOKEN.intersection(word.casefold() for word in words):
        return True
    num_words = sum(is_word(word) or word.casefold() in ("no", "yes") for word in words)
    return num_words >= _PROSE_WORDS or (is_text and num_words > 0)


def _plain_prose(latex: str) -> str:
    """Prose without case, markup and punctuation that does not change what it says."""
    return " ".join(re.sub(r"\\text\{([^{}]*)\}|[$\"“”]", r" \1 ", latex).casefold().split())
