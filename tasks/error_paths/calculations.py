"""Numbers and calculations in a step's text: found, worked out again, written anew."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, Inexact, localcontext

NUMBER = r"(?<![\w.,])\d{1,15}(?:,\d{3})*(?:\.\d{1,9})?(?!\w|[.,]\d)"
_MONEY = r"(?:\\?\$)?"
_SIGNS = {
    "+": ("+",),
    "-": ("-", "\u2212", "\u2013"),
    "*": ("*", "\u00d7", "\u00b7", "\\times", "\\cdot"),
    "/": ("/", "\u00f7", "\\div"),
}
_OPERATOR_OF = {sign: operator for operator, signs in _SIGNS.items() for sign in signs}
_OPERATOR = "|".join(map(re.escape, _OPERATOR_OF))
_CALCULATION = re.compile(
    rf"(?P<left>{NUMBER})(?P<space>\s*)(?P<sign>{_OPERATOR})(?P<gap>\s*{_MONEY})"
    rf"(?P<right>{NUMBER})\s*=\s*{_MONEY}(?P<result>{NUMBER})"
)
_NUMBER = re.compile(NUMBER)
_RESULT = re.compile(rf"=\s*{_MONEY}(?P<result>{NUMBER})(?!\s*(?:{_OPERATOR}))")
_WORKED_OUT = re.compile(rf"[\d)}}]\s*(?:{_OPERATOR})\s*[\\({{$\d.]")
_BEFORE_OPERAND = (*_OPERATOR_OF, "^", "=")


@dataclass(frozen=True, slots=True)
class Calculation:
    """A right calculation with two numbers in a text."""

    found: re.Match[str]
    operator: str
    """One of `+-*/`, however it is written."""

    @property
    def left(self) -> str:
        """The first number, as it is written."""
        return self.found["left"]

    @property
    def right(self) -> str:
        """The second number, as it is written."""
        return self.found["right"]

    @property
    def result(self) -> str:
        """The result, as it is written."""
        return self.found["result"]

    @property
    def words(self) -> str:
        """The expression, as it is written."""
        return self.found.string[self.found.start("left") : self.found.end("right")]

    def changed(
        self, left: str | None = None, operator: str | None = None, right: str | None = None
    ) -> str | None:
        """The whole text with another expression and its result.

        Returns:
            None where the result is the same, below zero, has no end, or is a fraction unlike the
            old one.
        """
        left, right = left or self.left, right or self.right
        sign = self.found["sign"] if operator in (None, self.operator) else operator
        result = work_out(left, operator or self.operator, right)
        old = to_value(self.result)
        if result is None or result == old or result < 0:
            return None
        if _is_whole(old) and not _is_whole(result):
            return None
        words = f"{left}{self.found['space']}{sign}{self.found['gap']}{right}"
        text, start = self.found.string, self.found.start("result")
        head = _replace(text[:start], self.words, words)
        tail = _replace(text[start:], self.words, words)
        new = write(result, self.result)
        return head + replace_number(tail, self.result, new)


def find_calculations(text: str) -> list[Calculation]:
    """The right calculations of a text that are not the end of a longer one."""
    calculations = []
    for found in _CALCULATION.finditer(text):
        operator = _OPERATOR_OF[found["sign"]]
        is_end = text[: found.start()].rstrip(" $\\").endswith(_BEFORE_OPERAND)
        if not is_end and work_out(found["left"], operator, found["right"]) == to_value(
            found["result"]
        ):
            calculations.append(Calculation(found, operator))
    return calculations


def find_results(text: str) -> Iterator[re.Match[str]]:
    """Where a text gives the result of something worked out; the group `result` is the number."""
    for found in _RESULT.finditer(text):
        line = text[: found.start()].rpartition("\n")[2]
        if _WORKED_OUT.search(line.rpartition("=")[2]):
            yield found


def find_numbers(text: str) -> list[re.Match[str]]:
    """Every number that stands alone, in order."""
    return list(_NUMBER.finditer(text))


def to_value(number: str) -> Decimal:
    """What a written number is worth."""
    return Decimal(number.replace(",", ""))


def work_out(left: str, operator: str, right: str) -> Decimal | None:
    """The exact result of a calculation; None for a quotient that has no end."""
    a, b = to_value(left), to_value(right)
    if operator == "/":
        return _divide(a, b) if b else None
    return {"+": a + b, "-": a - b, "*": a * b}[operator]


def _divide(a: Decimal, b: Decimal) -> Decimal | None:
    with localcontext() as context:
        context.traps[Inexact] = True
        try:
            return a / b
        except Inexact:
            return None


def _is_whole(value: Decimal) -> bool:
    return value == value.to_integral_value()


def write(value: Decimal, like: str) -> str:
    """A number, with commas between thousands if another one has them."""
    text = f"{value:,f}" if "," in like else f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def replace_number(text: str, old: str, new: str) -> str:
    """The text with every occurrence of a number that stands alone replaced.

    One that is written otherwise, such as 1,200 for 1200, is replaced in its own way of writing.
    """
    value, new_value = to_value(old), to_value(new)

    def rewrite(found: re.Match[str]) -> str:
        if found[0] == old:
            return new
        return write(new_value, found[0]) if to_value(found[0]) == value else found[0]

    return _NUMBER.sub(rewrite, text)


def _replace(text: str, old: str, new: str) -> str:
    """The text with every occurrence of an expression replaced that is no part of other numbers."""
    whole = rf"(?<![\w.,]){re.escape(old)}(?!\w|[.,]\d)"
    return re.sub(whole, lambda _: new, text)
