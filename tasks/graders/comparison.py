"""Compare answers part by part: by structure if that is enough, otherwise by algebra.

Tuples are compared in order, named values by their names, sets and lists of solutions in any
order, intervals with their brackets. Only parts that are neither numbers nor words are passed to
the computer algebra system, and a whole answer only if it is a single expression.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

from tasks.graders.math_process import Comparison
from tasks.graders.normal_form import Kind, NormalForm, same_form
from tasks.graders.shapes import Shape, by_name, read_shape

_MAX_DEPTH = 8
_MAX_UNDECIDED = 2
"""Pairs of parts that may hit a limit before the comparison is given up."""
_CACHE_SIZE = 4096


class Comparer:
    """Compares forms with the help of something that compares expressions."""

    def __init__(
        self, make_form: Callable[[str], NormalForm], ask: Callable[..., Comparison]
    ) -> None:
        """Make a comparer from the two functions that it needs.

        Args:
            make_form: makes the form of an answer's text.
            ask: parses one or two expressions and compares two, `MathPool.ask`.
        """
        self._make_form = make_form
        self._ask = ask

    def compare(self, a: NormalForm, b: NormalForm, depth: int = 0) -> Comparison:
        """Compare two forms; `parsed` says which of them are mathematics or words."""
        known = same_form(a, b)
        if known is not None:
            return Comparison(known, (True, True))
        if Kind.OVERLONG in (a.kind, b.kind) or depth > _MAX_DEPTH:
            return Comparison(None, (True, True))
        if Kind.PROSE in (a.kind, b.kind):
            return Comparison(False, (a.kind is not Kind.PROSE, b.kind is not Kind.PROSE))
        if a.content is not None:
            return self.compare(a.content, b, depth + 1)
        if b.content is not None:
            return self.compare(a, b.content, depth + 1)
        shape_a, shape_b = _shape(a), _shape(b)
        if shape_a is None and shape_b is None:
            return self._ask_ordered(a.latex, b.latex)
        if shape_a is None or shape_b is None:
            shape = shape_a or shape_b
            assert shape is not None
            whole, other = (a, b) if shape_b is None else (b, a)
            equal = self._compare_with_one(whole, shape, other, depth)
        else:
            equal = self._compare_shapes(a, shape_a, b, shape_b, depth)
        if equal is not False:
            return Comparison(equal, (True, True))
        return Comparison(False, (self.check(a, depth).parsed[0], self.check(b, depth).parsed[0]))

    def check(self, form: NormalForm, depth: int = 0) -> Comparison:
        """Say whether a form can be compared: `equal` is None if it hits a limit by itself."""
        if form.kind is not Kind.EXPRESSION:
            return Comparison(False, (True,))
        shape = _shape(form)
        if shape is None or depth > _MAX_DEPTH:
            return self._ask(form.latex)
        is_parsed = True
        for item in shape.items:
            part = self.check(self._make_form(item), depth + 1)
            if part.equal is None:
                return part
            is_parsed = is_parsed and part.parsed[0]
        return Comparison(False, (is_parsed,))

    def _compare_with_one(
        self, whole: NormalForm, shape: Shape, other: NormalForm, depth: int
    ) -> bool | None:
        """Compare an answer of parts with one that has none."""
        if other.kind in (Kind.WORDS, Kind.LETTER):
            return False
        if _is_named_value(shape) and ("=" in other.latex or "\\neq" in other.latex):
            return self._ask_ordered(whole.latex, other.latex).equal
        if len(shape.items) == 1 and shape.bracket in ("", "{}"):
            return self._compare_items(shape.items[0], other.latex, depth)
        if shape.bracket and other.kind is Kind.EXPRESSION:
            return self._ask_ordered(_latex_of(whole, shape), other.latex).equal
        return False

    def _compare_shapes(
        self, a: NormalForm, shape_a: Shape, b: NormalForm, shape_b: Shape, depth: int
    ) -> bool | None:
        if _is_named_value(shape_a) and _is_named_value(shape_b):
            return self._compare_named_values(a, shape_a, b, shape_b, depth)
        if _is_named_value(shape_a):
            return self.compare(self._make_form(shape_a.items[0]), b, depth + 1).equal
        if _is_named_value(shape_b):
            return self.compare(a, self._make_form(shape_b.items[0]), depth + 1).equal
        if shape_a.names and shape_b.names and set(shape_a.names) != set(shape_b.names):
            return False
        if "!=" in (shape_a.bracket, shape_b.bracket):
            return self._compare_exclusions(shape_a, shape_b, depth)
        if "or" in (shape_a.bracket, shape_b.bracket):
            return self._compare_unions(a, shape_a, b, shape_b, depth)
        if _is_region(shape_a) != _is_region(shape_b) and "" in (shape_a.bracket, shape_b.bracket):
            return False
        if shape_a.is_ordered or shape_b.is_ordered:
            return self._compare_in_order(by_name(shape_a), by_name(shape_b), depth)
        return self._compare_in_any_order(shape_a.items, shape_b.items, depth)

    def _compare_named_values(
        self, a: NormalForm, shape_a: Shape, b: NormalForm, shape_b: Shape, depth: int
    ) -> bool | None:
        """Compare `y=2x` with `y=x+x`, or with `x=y/2`."""
        name = shape_a.names[0]
        is_implicit = name in shape_a.items[0] or name in shape_b.items[0]
        if name != shape_b.names[0] or is_implicit:
            return self._ask_ordered(a.latex, b.latex).equal
        return self._compare_items(shape_a.items[0], shape_b.items[0], depth)

    def _compare_in_order(self, a: Shape, b: Shape, depth: int) -> bool | None:
        is_pair = 2 in (len(a.items), len(b.items))
        is_bracketed = {a.bracket, b.bracket}.isdisjoint(("", "{}"))
        if len(a.items) != len(b.items) or (is_pair and is_bracketed and a.bracket != b.bracket):
            return False
        items = b.items
        if len(a.names) > 1 and len(b.names) > 1:
            by_their_names = dict(zip(b.names, b.items, strict=True))
            items = tuple(by_their_names[name] for name in a.names)
        is_decided = True
        for left, right in zip(a.items, items, strict=True):
            equal = self._compare_items(left, right, depth)
            if equal is False:
                return False
            is_decided = is_decided and equal is not None
        return True if is_decided else None

    def _compare_in_any_order(self, a: Sequence[str], b: Sequence[str], depth: int) -> bool | None:
        if len(a) != len(b):
            return False
        left, undecided = list(b), 0
        for item in a:
            for index, candidate in enumerate(left):
                equal = self._compare_items(item, candidate, depth)
                undecided += equal is None
                if undecided > _MAX_UNDECIDED:
                    return None
                if equal:
                    del left[index]
                    break
            else:
                return None if undecided else False
        return True

    def _compare_exclusions(self, a: Shape, b: Shape, depth: int) -> bool | None:
        if a.bracket == b.bracket:
            return self._compare_in_any_order(a.items, b.items, depth)
        excluded, other = (a, b) if a.bracket == "!=" else (b, a)
        region = self._around(excluded.items)
        if other.bracket != "or" or region is None:
            return False
        return self._compare_in_any_order(region, other.items, depth)

    def _around(self, excluded: Sequence[str]) -> tuple[str, ...] | None:
        """The intervals between excluded numbers; None if they are not plain numbers."""
        forms = [self._make_form(item) for item in excluded]
        numbers = sorted((form.number, form.latex) for form in forms if form.number is not None)
        if len(numbers) != len(forms):
            return None
        ends = ["-\\infty", *(latex for _, latex in numbers), "\\infty"]
        return tuple(f"({low},{high})" for low, high in pairwise(ends))

    def _compare_unions(
        self, a: NormalForm, shape_a: Shape, b: NormalForm, shape_b: Shape, depth: int
    ) -> bool | None:
        if shape_a.bracket == shape_b.bracket:
            equal = self._compare_in_any_order(shape_a.items, shape_b.items, depth)
            if equal is not False:
                return equal
        if "" in (shape_a.bracket, shape_b.bracket):
            return False
        return self._ask_ordered(_latex_of(a, shape_a), _latex_of(b, shape_b)).equal

    def _compare_items(self, a: str, b: str, depth: int) -> bool | None:
        return self.compare(self._make_form(a), self._make_form(b), depth + 1).equal

    def _ask_ordered(self, a: str, b: str) -> Comparison:
        if a <= b:
            return self._ask(a, b)
        swapped = self._ask(b, a)
        return Comparison(swapped.equal, swapped.parsed[::-1])


def _is_named_value(shape: Shape) -> bool:
    return shape.bracket == "" and len(shape.items) == 1 and len(shape.names) == 1


def _is_region(shape: Shape) -> bool:
    """Whether this is an interval and cannot be a pair."""
    is_named = len(shape.names) == 1 and shape.bracket in ("()", "[]", "[)", "(]")
    return shape.bracket == "or" or shape.is_interval or is_named


def _latex_of(form: NormalForm, shape: Shape) -> str:
    """The text for a parser: a region as intervals, anything else unchanged."""
    if shape.bracket == "or":
        return "\\cup ".join(shape.items)
    if _is_region(shape):
        return f"{shape.bracket[0]}{','.join(shape.items)}{shape.bracket[1]}"
    return form.latex


def _shape(form: NormalForm) -> Shape | None:
    return _read_cached(form.latex) if form.kind is Kind.EXPRESSION else None


_read_cached = lru_cache(_CACHE_SIZE)(read_shape)
