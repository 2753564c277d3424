r"""Units after a value: the question says which unit it wants, so they are dropped.

A unit is not a variable. These count as units:

- upright text (`\text{ cm}`, `\mathrm{mi}/\mathrm{hr}`), also with a power, unless it is a word
  that changes the value (`or more`, `a.m.`) or a lone letter that is not a unit (`\mathrm{x}`);
- plain words of four letters and more, shorter ones and abbreviations only from a list: `3 ab`,
  `3 xyz` and `5t` stay products, and so does `5 m`, but `5 m/s` is a speed;
- words in brackets: `51 (trucks)`;
- degrees (`25°C`) and a currency sign; Chinese, Japanese and Korean words.

`million` and the like are not units: they multiply.
"""

import re

_MULTIPLIERS = {
    "dozen": 12,
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
_HAN_MULTIPLIERS = {"百": 10**2, "千": 10**3, "万": 10**4, "亿": 10**8}
_SHORT_WORD_LIST = """
ant bag bar bed bee box boy bus can cans cap car cat cow cup day deg dog egg fan fig gal hat hen hrs
jar kid lap lbs map men min mins nut pen pie pig pts rad row sec secs set sum tin ton toy way won
yds yen EUR GBP GHz MHz RMB USD kHz kPa kWh kmh kph mol mph rpm
"""
_SHORT_WORDS = frozenset(_SHORT_WORD_LIST.split())
_ABBREVIATIONS = frozenset(
    (
        "cm",
        "mm",
        "km",
        "dm",
        "nm",
        "kg",
        "ml",
        "mL",
        "dL",
        "ft",
        "lb",
        "oz",
        "yd",
        "kW",
        "MW",
        "Hz",
        "GB",
        "MB",
        "KB",
        "TB",
        "kN",
        "kJ",
    )
)
_SPACED_ABBREVIATIONS = frozenset(("in", "hr", "mi", "mg", "sq", "gm", "Pa", "Rs"))
"""Units that are read as products of variables unless a space precedes them."""
_LETTERS = frozenset("mgslLhNJVWAKCFd")
"""Letters that are units if they are upright or in brackets."""
_LETTER_QUOTIENT = re.compile(
    r"\s*(?:m/s(?:\^-?2)?|m/h|g/[lL]|[lL]/[sh]|N/m|N/C|J/[Ksg]|V/m|C/s|[kc]?m s\^\{?-[12]\}?)"
)
_NOT_UNIT_LIST = """
am pm p and or not no if both either neither none many more less fewer least most almost nearly
between below under infinite inf infinity negative positive plus minus over squared cubed factorial
choose root remainder base half halves third thirds fourths fifths sixths sevenths eighths ninths
tenths hundredths thousandths one two three four five six seven eight nine ten eleven twelve twenty
thirty forty fifty sixty seventy eighty ninety mod pi tau theta alpha beta gamma delta lambda sigma
omega phi rho arccos arcsin arctan cos cosh cot csc det exp gcd lcm ln log sin sinh sqrt tan tanh
frac i e x y z
"""
_NOT_UNITS = frozenset(_NOT_UNIT_LIST.split())
"""Words that change a value, or are part of a formula."""
_NOT_REMARKS = frozenset(("or", "not", "more", "less", "least", "most", "no", "a.m", "p.m"))
_CONNECTIVES = frozenset(
    ("a", "an", "are", "each", "for", "from", "in", "is", "of", "on", "per", "the")
)
"""Words that may come between a value and its unit: `3/4 of a cup`, `18 for the day`."""
_HAN_NOT_UNITS = frozenset("和或与及到至以多余约左右大小不无非之间或者且第")

_WORD = r"[^\W\d_]+(?:['-][^\W\d_]+)*"
_POWER = r"(?:\^-?\d|\^\{-?\d+\})?"
_TEXT = r"\\text\{(?:[^{}]|\{[^{}]*\})*\}"
_UPRIGHT = re.compile(
    rf"(?:[\s/*-]|\\cdot|{_TEXT}{_POWER})*{_TEXT}{_POWER}(?:\s*[/-]\s*[A-Za-z]+{_POWER})?\.?"
)
_PLAIN = re.compile(
    rf"(?<![A-Za-z\\])\s*{_WORD}\.?{_POWER}"
    rf"(?:(?:\s*[ /*·]\s*|(?<=\.)){_WORD}\.?{_POWER})*\s*"
)
_BRACKETED = re.compile(r"\s*\(\s*([^()\d\\^=+<>|]+)\s*\)")
_DEGREES = re.compile(r"\^\\circ\s*(?:\\text\{\s*[CFK]\s*\}|[CFK])?")
_HAN = re.compile(r"\s*(?:\\text\{\s*)?([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]{1,8})\s*\}?")
_CURRENCY = re.compile(r"\s*(?:\\?\$|[£€¥₹₩¢])")
_CLOCK = re.compile(r"\b[ap]\.\s*m\b")
_LETTER_RUN = re.compile(r"[^\W\d_]+")
_VALUE_END = re.compile(r"[\d})!]$|\\(?:pi|infty)\s*$|\]$")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def split_unit(latex: str) -> tuple[str, int] | None:
    """Split a value from the unit that it ends with.

    Returns:
        The value and the factor that its unit multiplies it by, or None if it ends with no unit.
    """
    for start in _starts(latex):
        value = latex[:start].rstrip(" /*")
        if value and (latex.startswith("\\text", start) or _VALUE_END.search(value) is not None):
            multiplier = _multiplier(latex[start:])
            if multiplier is not None:
                return value, multiplier
    return None


def is_word(letters: str) -> bool:
    """Whether letters read as a word of a language and not as a product of variables."""
    if letters in _SHORT_WORDS or letters in _ABBREVIATIONS:
        return True
    lower = letters.casefold()
    if not lower.isascii():
        return len(lower) > 1
    is_run = "".join(sorted(lower)) in _ALPHABET
    return len(lower) > 3 and not is_run and any(vowel in lower for vowel in "aeiouy")


def _starts(latex: str) -> list[int]:
    """The positions where a unit that reaches to the end could begin, the longest first."""
    starts = []
    for match in re.finditer(r"(?<=[\d})!\]A-Za-z])(?=[^\d})!\]])", latex):
        index = match.start()
        before, after = latex[index - 1], latex[index]
        if before.isalpha() and after.isalpha() and after.isascii():
            continue  # inside a word or a command
        starts.append(index)
    return starts


def _multiplier(unit: str) -> int | None:
    """The factor that a unit multiplies its value by; None if it is not a unit."""
    if _DEGREES.fullmatch(unit) or _CURRENCY.fullmatch(unit):
        return 1
    if (han := _HAN.fullmatch(unit)) is not None:
        return _han_multiplier(han.group(1))
    bracketed = _BRACKETED.fullmatch(unit)
    if bracketed is not None:
        words = _LETTER_RUN.findall(bracketed.group(1))
        is_unit = any(map(_is_unit, words)) and _NOT_REMARKS.isdisjoint(words)
        return 1 if is_unit else None
    if "\\text" in unit:
        return _upright_multiplier(unit) if _UPRIGHT.fullmatch(unit) else None
    if _PLAIN.fullmatch(unit) is None:
        return None
    return _plain_multiplier(unit)


def _upright_multiplier(unit: str) -> int | None:
    words = _LETTER_RUN.findall(unit.replace("\\text", " ").replace("\\cdot", " "))
    if not words:
        return 1
    if unit.startswith("-") or not _are_allowed(words) or _CLOCK.search(unit):
        return None
    if len(words) == 1 and len(words[0]) == 1 and words[0] not in _LETTERS:
        return None
    return _leading_multiplier(words)


def _plain_multiplier(unit: str) -> int | None:
    if _LETTER_QUOTIENT.fullmatch(unit):
        return 1
    words = _LETTER_RUN.findall(unit)
    if not _are_allowed(words) or _CLOCK.search(unit):
        return None
    while len(words) > 1 and words[0] in _CONNECTIVES and not is_word(words[0]):
        words = words[1:]
    first, *others = words
    is_unit = is_word(first) or (first in _SPACED_ABBREVIATIONS and unit[0] == " ")
    if "/" in unit:
        is_unit = (is_unit or first in _LETTERS) and all(_is_unit(word) for word in others)
        is_unit = is_unit and max(len(word) for word in words) > 1
    return _leading_multiplier(words) if is_unit else None


def _is_unit(word: str) -> bool:
    return word in _LETTERS or word in _SPACED_ABBREVIATIONS or is_word(word)


def _are_allowed(words: list[str]) -> bool:
    return not any(word in _NOT_UNITS or word.casefold() in _NOT_UNITS for word in words)


def _leading_multiplier(words: list[str]) -> int | None:
    """The product of the multipliers that a unit begins with; None if one comes later."""
    multiplier = 1
    names = [word.casefold() for word in words]
    while names and names[0] in _MULTIPLIERS:
        multiplier *= _MULTIPLIERS[names.pop(0)]
    return None if any(name in _MULTIPLIERS for name in names) else multiplier


def _han_multiplier(unit: str) -> int | None:
    if _HAN_NOT_UNITS.intersection(unit):
        return None
    multiplier = 1
    while unit and unit[0] in _HAN_MULTIPLIERS and unit[:2] not in ("千米", "千克", "百分"):
        multiplier *= _HAN_MULTIPLIERS[unit[0]]
        unit = unit[1:]
    return multiplier
