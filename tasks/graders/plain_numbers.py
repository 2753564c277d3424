r"""Plain numbers, read exactly: integers, decimals, fractions, mixed numbers, powers of ten.

A number is a `Fraction`, without rounding: 0.333333 is not 1/3, `0.\overline{3}` is. A comma (or
thin space) before each group of three digits separates thousands. Percent is a hundredth.
"""

import re
from dataclasses import dataclass
from fractions import Fraction

_MAX_EXPONENT = 300
_MAX_REPEAT = 60

_DIGITS = r"(?:(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d*)?|\.\d+)"
_REPEAT = r"\\(?:overline|bar|dot|overset\{\\cdot\})\s*(?:\{\d+\}|\d)"
_NUMBER = re.compile(
    rf"""
    (?P<sign>[+-]?)\ ?
    (?:\\?\$|[£€¥₹₩]|(?:Rs\.?|USD|US\\?\$)\ ?)?\ ?
    (?P<inner_sign>[+-]?)
    (?:
        (?P<whole>\d+)?\ ?\\frac\{{\ ?(?P<top>-?{_DIGITS})\ ?\}}\{{\ ?(?P<bottom>-?{_DIGITS})\ ?\}}
        | (?:(?P<plain_whole>\d+)[ ](?=\d+\ ?/))?(?P<plain_top>{_DIGITS})\ ?/\ ?
          (?P<plain_bottom>{_DIGITS})
        | (?P<repeating>\d*\.\d*(?:{_REPEAT}\d*)+)
        | (?P<decimal>{_DIGITS})
          (?:
            (?:[eE]|\ ?(?:\\times|\\cdot|\*|x)\ ?10\^)
            (?P<exponent>\{{[+-]?\d{{1,4}}\}}|[+-]?\d{{1,4}})
          )?
    )
    (?:_(?P<base>\d{{1,2}}|\{{\d\d\}}))?
    (?P<percent>\ ?(?:\\?%|(?:percent|per\ cent|pct)\b
        |\\text\{{\ ?(?:percent|per\ cent|pct)\ ?\}}))?
    (?P<ordinal>(?:st|nd|rd|th)|\^?\\text\{{\ ?(?:st|nd|rd|th)\ ?\}}
        |\^\{{\ ?(?:\\text\{{)?(?:st|nd|rd|th)\}}?\ ?\}})?
    """,
    re.VERBOSE,
)
_REPEATED = re.compile(r"\\(?:overline|bar)\s*(?:\{(\d+)\}|(\d))")
_DOTTED = re.compile(r"\\(?:dot|overset\{\\cdot\})\s*(?:\{(\d)\}|(\d))")


@dataclass(frozen=True, slots=True)
class PlainNumber:
    """A plain number, as read from an answer."""

    value: Fraction
    base: int | None = None
    """Base written after a numeral; `value` is then its digits read as decimal ones."""
    decimal: str | None = None
    """The number as written, if it was a decimal."""


def read_number(latex: str, multiplier: int = 1) -> PlainNumber | None:
    """Read a tidy answer without its unit; None if it is not a plain number."""
    match = _NUMBER.fullmatch(latex)
    if match is None:
        return None
    value, is_decimal = _value(match)
    if value is None:
        return None
    value *= multiplier
    if match["percent"]:
        value /= 100
    if (match["sign"] == "-") != (match["inner_sign"] == "-"):
        value = -value
    if match["base"] is not None:
        return PlainNumber(value, base=int(match["base"].strip("{}")))
    if not is_decimal or multiplier != 1 or match["percent"]:
        return PlainNumber(value)
    digits = match["decimal"].replace(",", "")
    sign = "-" if value < 0 else ""
    return PlainNumber(value, decimal=sign + ("0" if digits.startswith(".") else "") + digits)


def _value(match: re.Match[str]) -> tuple[Fraction | None, bool]:
    """The unsigned number, and whether it was written as a decimal."""
    if match["repeating"] is not None:
        return _repeating(match["repeating"]), False
    if match["decimal"] is not None:
        exponent = int((match["exponent"] or "0").strip("{}"))
        if abs(exponent) > _MAX_EXPONENT:
            return None, False
        value = _fraction(match["decimal"]) * Fraction(10) ** exponent
        return value, match["exponent"] is None and "." in match["decimal"]
    bottom = _fraction(match["bottom"] or match["plain_bottom"])
    if bottom == 0:
        return None, False
    top = _fraction(match["top"] or match["plain_top"])
    return int(match["whole"] or match["plain_whole"] or 0) + top / bottom, False


def _repeating(written: str) -> Fraction | None:
    r"""`0.3\overline{6}`, or `0.\dot{1}4\dot{2}` with a dot over the first and last digit."""
    whole, _, rest = written.partition(".")
    overlined = _REPEATED.search(rest)
    if overlined is not None:
        fixed, repeated = rest[: overlined.start()], overlined[1] or overlined[2]
        if overlined.end() != len(rest):
            return None
    else:
        dots = list(_DOTTED.finditer(rest))
        if len(dots) not in (1, 2) or dots[-1].end() != len(rest):
            return None
        fixed = rest[: dots[0].start()]
        repeated = _DOTTED.sub(lambda dot: dot[1] or dot[2], rest[dots[0].start() :])
    if not (fixed + repeated).isdigit() or len(fixed + repeated) > _MAX_REPEAT:
        return None
    period = Fraction(int(repeated), 10 ** len(repeated) - 1)
    return int(whole or 0) + (int(fixed or 0) + period) / 10 ** len(fixed)


def _fraction(digits: str) -> Fraction:
    return Fraction(digits.replace(",", ""))
