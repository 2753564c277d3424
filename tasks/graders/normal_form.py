r"""One form for the many ways of writing an answer; plain numbers become exact fractions.

A plain number is an integer, decimal, fraction (`a/b`, `\frac{a}{b}`, `\frac ab`), mixed number
(`1\frac{4}{5}`, `1 4/5`; never a product) or power of ten (`3e5`, `3\times10^5`), and is compared
as a fraction, without rounding: 0.333333 is not 1/3, and 1e-7 is not 2e-7. Decided on purpose:

- A comma (or thin space, `10\,080`) before each group of three digits is a thousands separator;
  `3,5` is a list.
- Units are dropped, as Math-Verify drops them: the question says which it wants. So `$18`,
  `18 dollars`, `18\text{ cm}` and `18^\circ` are all 18. A unit written without `\text` counts as
  one from three letters on, or when it is a usual abbreviation: `3 ab` stays a product.
- `million` and its like are no units: they multiply.
- Percent is a hundredth: 10% is 1/10 and 0.1, never 10; or the sign is dropped, if asked.
- `52_8` is a numeral of base 8: equal to `52` (the question says the base), never to `52_9`.

Words (`\text{Evelyn}`, `(C)`, `no solution`) are compared without case and markup.
"""

import re
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

_MAX_EXPONENT = 300

_SPELLINGS = {
    "\\dfrac": "\\frac",
    "\\tfrac": "\\frac",
    "\\cfrac": "\\frac",
    "\\left": "",
    "\\right": "",
    "\\displaystyle": "",
    "\\bigl": "",
    "\\bigr": "",
    "\\big": "",
    "\\textbf{": "\\text{",
    "\\textrm{": "\\text{",
    "\\textit{": "\\text{",
    "\\mbox{": "\\text{",
    "\\mathrm{": "\\text{",
    "\\mathbf{": "\\text{",
    "\\degree": "^\\circ",
    "^{\\circ}": "^\\circ",
    "{,}": ",",
    "**": "^",
    "−": "-",  # noqa: RUF001 - the sign as models write it
    "×": "\\times ",  # noqa: RUF001
    "÷": "/",
    "·": "\\cdot ",
    "π": "\\pi ",
    "∞": "\\infty ",
    "√": "\\sqrt ",
    "°": "^\\circ",
    "±": "\\pm ",
    "∪": "\\cup ",  # noqa: RUF001
    "≤": "\\le ",
    "≥": "\\ge ",
}
_SPELLING = re.compile(
    "|".join(
        # A command ends where its letters end: \left is not the beginning of \leftarrow.
        re.escape(text) + ("(?![A-Za-z])" if text[-1].isalpha() and text[0] == "\\" else "")
        for text in _SPELLINGS
    )
)
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))
# A line break of a matrix is matched first, so that its second half is not read as a command.
_SPACING = re.compile(
    r"(?P<line_break>\\\\)|(?P<nothing>\\!\s*|(?<=\d)\\,(?=\d{3}(?!\d)))"
    r"|\\[,;:> ]|\\q?quad(?![A-Za-z])|~"
)
_LOOSE_SPACE = re.compile(r"(?<![A-Za-z0-9]) | (?![A-Za-z0-9])")
_SHORT_SCRIPT = re.compile(r"([_^])\{([A-Za-z0-9])\}")
_WHOLE_TEXT = re.compile(r"\\text\{([^{}]*)\}")
_FINAL_UNIT = re.compile(r"(?<=.)(?:\\text\{[^{}]*\}(?:\^\d)?)+$")
_CHOICE = re.compile(r"\(?([A-Za-z])[).]?")
_WORDS = re.compile(r"[A-Za-z][A-Za-z' -]*")
_LONG_WORD = re.compile(r"[A-Za-z]{3}")

_INTEGER = re.compile(r"-?\d+")
_DIGITS = r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+)"
_NUMBER = re.compile(
    rf"""
    (?P<sign>[+-]?)\ ?
    (?:\\?\$|[£€¥])?\ ?
    (?P<inner_sign>[+-]?)
    (?:
        (?P<whole>\d+)?\ ?\\frac\ ?
            (?:\{{(?P<braced_top>-?{_DIGITS})\}}|(?P<top>\d))\ ?
            (?:\{{(?P<braced_bottom>-?{_DIGITS})\}}|(?P<bottom>\d))
        | (?:(?P<plain_whole>\d+)\ (?=\d+/))?(?P<plain_top>{_DIGITS})/(?P<plain_bottom>{_DIGITS})
        | (?P<decimal>{_DIGITS})
          (?:
            (?:[eE]|\ ?(?:\\times|\\cdot|\*|x)\ ?10\^)
            (?P<exponent>\{{[+-]?\d{{1,4}}\}}|[+-]?\d{{1,4}})
          )?
    )
    (?:_(?P<base>\d{{1,2}}|\{{\d\d\}}))?
    (?P<percent>\ ?(?:\\?%|percent\b|\\text\{{\ ?percent\ ?\}}))?
    (?P<unit>\^\\circ|\ ?(?:\\text\{{[^{{}}]*\}}(?:\^\d)?)+|\ [A-Za-z][A-Za-z/ -]*(?:\^\d)?)?
    """,
    re.VERBOSE,
)
_MULTIPLIERS = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_SHORT_UNITS = frozenset(
    ("cm", "mm", "km", "kg", "mg", "ml", "mL", "ft", "in", "hr", "mi", "oz", "lb")
)
_FUNCTIONS = ("cos", "cot", "csc", "det", "exp", "log", "sec", "sin", "sqrt", "tan")
_NOT_UNITS = frozenset((*_FUNCTIONS, "and", "inf", "infinity", "mod", "not", "or", "pi", "tau"))


class Kind(Enum):
    """How far a form can be compared without a computer algebra system."""

    NUMBER = "number"
    LETTER = "letter"
    WORDS = "words"
    EXPRESSION = "expression"
    OVERLONG = "overlong"


@dataclass(frozen=True, slots=True)
class NormalForm:
    """An answer made ready to be compared."""

    kind: Kind
    latex: str
    """What a parser is given; the text itself if it is overlong."""
    number: Fraction | None = None
    base: int | None = None
    """Base written behind a numeral; `number` is then its digits read as decimal ones."""

    @property
    def key(self) -> tuple[object, ...]:
        """Equal keys are equal answers; unequal keys may be equal answers too."""
        if self.kind is Kind.NUMBER:
            return (self.number, self.base)
        if self.kind in (Kind.LETTER, Kind.WORDS):
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
        max_chars: longer answers are left as they are, `OVERLONG`.
    """
    if len(answer) > max_chars:
        return NormalForm(Kind.OVERLONG, answer)
    if _INTEGER.fullmatch(answer):
        return _number_form(Fraction(int(answer)))
    latex = _tidy(answer)
    if drop_percent:
        latex = latex.replace("\\%", "").replace("%", "")
    number = _read_number(latex)
    if number is not None:
        return number
    whole = _WHOLE_TEXT.fullmatch(latex)
    if whole is not None:
        latex = whole.group(1).strip()
        number = _read_number(latex)
        if number is not None:
            return number
    else:
        latex = _FINAL_UNIT.sub("", latex).rstrip()
    choice = _CHOICE.fullmatch(latex)
    if choice is not None:
        return NormalForm(Kind.LETTER, choice.group(1))
    if _WORDS.fullmatch(latex) and (whole is not None or _LONG_WORD.search(latex)):
        return NormalForm(Kind.WORDS, latex)
    return NormalForm(Kind.EXPRESSION, latex)


def same_form(a: NormalForm, b: NormalForm) -> bool | None:
    """Compare two forms; None where that takes algebra or one of them is overlong."""
    if a.kind is b.kind and a.key == b.key:
        return True
    kinds = {a.kind, b.kind}
    if kinds == {Kind.NUMBER}:
        # A numeral's base may be left out, but not differ.
        return a.number == b.number and (a.base is None or b.base is None)
    if kinds <= {Kind.LETTER, Kind.WORDS} or kinds == {Kind.WORDS, Kind.NUMBER}:
        return False
    return None


def _tidy(answer: str) -> str:
    """One spelling for commands, no math delimiters, no space that means nothing."""
    latex = answer.strip()
    for opening, closing in _DELIMITERS:
        if latex.startswith(opening) and latex.endswith(closing) and len(latex) > 2 * len(opening):
            latex = latex[len(opening) : -len(closing)]
            break
    latex = _SPELLING.sub(lambda match: _SPELLINGS[match.group()], latex)
    latex = _SPACING.sub(_plain_space, latex)
    if latex.replace("\\$", "").count("$") > 1:  # `$5$ dollars`; a single sign is a currency
        latex = re.sub(r"(?<!\\)\$", "", latex)
    latex = " ".join(latex.split()).rstrip(".\\ ")
    return _LOOSE_SPACE.sub("", _SHORT_SCRIPT.sub(r"\1\2", latex))


def _plain_space(match: re.Match[str]) -> str:
    if match["line_break"] is not None:
        return match["line_break"]
    return "" if match["nothing"] is not None else " "


def _read_number(latex: str) -> NormalForm | None:
    match = _NUMBER.fullmatch(latex)
    if match is None:
        return None
    multiplier = _unit_multiplier(match["unit"] or "")
    value, is_decimal = _value(match)
    if multiplier is None or value is None:
        return None
    value *= multiplier
    if match["percent"]:
        value /= 100
    if (match["sign"] == "-") != (match["inner_sign"] == "-"):
        value = -value
    base = match["base"]
    if base is not None:
        return NormalForm(Kind.NUMBER, latex, value, int(base.strip("{}")))
    if is_decimal and multiplier == 1 and not match["percent"]:
        digits = match["decimal"].replace(",", "")
        sign = "-" if value < 0 else ""
        return _number_form(value, sign + ("0" if digits.startswith(".") else "") + digits)
    return _number_form(value)


def _number_form(value: Fraction, latex: str | None = None) -> NormalForm:
    """Form of a plain number; written as a decimal only if the answer was."""
    if latex is None:
        top, bottom = value.numerator, value.denominator
        latex = str(top) if bottom == 1 else f"\\frac{{{top}}}{{{bottom}}}"
    return NormalForm(Kind.NUMBER, latex, value)


def _value(match: re.Match[str]) -> tuple[Fraction | None, bool]:
    """The unsigned number before its unit, and whether it was written as a decimal."""
    if match["decimal"] is not None:
        exponent = int((match["exponent"] or "0").strip("{}"))
        if abs(exponent) > _MAX_EXPONENT:
            return None, False
        value = _fraction(match["decimal"]) * Fraction(10) ** exponent
        return value, match["exponent"] is None and "." in match["decimal"]
    bottom = _fraction(match["braced_bottom"] or match["bottom"] or match["plain_bottom"])
    if bottom == 0:
        return None, False
    top = _fraction(match["braced_top"] or match["top"] or match["plain_top"])
    return int(match["whole"] or match["plain_whole"] or 0) + top / bottom, False


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))


def _unit_multiplier(unit: str) -> int | None:
    """What a unit multiplies its number by; None if it is no unit."""
    if not unit or unit.startswith("^"):
        return 1
    in_text = "\\" in unit
    words = re.findall(r"[A-Za-z]+", unit.replace("\\text", " "))
    multiplier = _MULTIPLIERS.get(words[0].casefold(), 1) if words else 1
    if in_text:
        return multiplier
    is_unit = len(words[0]) > 2 or words[0] in _SHORT_UNITS
    return multiplier if is_unit and not _NOT_UNITS.intersection(words) else None
