r"""The structure of an answer: tuples, intervals, lists of solutions, named values, regions.

A `Shape` contains the parts of an answer as LaTeX, none of which is evaluated here:

- `(1,2)`, `[1,2)` and the like are ordered; `\{1,2\}` and lists without brackets are not;
- `x=1, y=2` is ordered by its names; `x=1, x=2`, `x=1,2` and `x=1 or 2` are lists of solutions;
- `\pm` stands for two solutions;
- `x<2`, `-1\le x<2`, `x\in[-1,2)` and `\{x \mid x<2\}` are the intervals that they describe, with
  the name of their variable if it is free;
- `x\neq\pm5` is a list of exclusions.
"""

import re
from dataclasses import dataclass, replace
from itertools import product

_SUBSCRIPT = r"(?:_(?:\w|\\\w+|\{[^{}]*\}))?"
_NAME = (
    rf"(?:\\(?:angle|triangle)\s*)?(?:[A-Za-z]'*{_SUBSCRIPT}|\\text\{{[A-Za-z ]+\}}{_SUBSCRIPT}"
    rf"|\\(?!frac|sqrt|pi|sin|cos|tan|log|ln|text|left|infty|pm|mp|binom|emptyset)[A-Za-z]+\s*"
    rf"{_SUBSCRIPT})"
)
_CALL = rf"(?:{_NAME}(?:\^\{{-1\}}|\^{{-1}})?\((?:{_NAME})(?:,{_NAME})*\)|[A-Z](?:\s*[A-Z]){{1,3}})"
_MEASURED = rf"\\\|{_NAME}\\\||\[{_NAME}\]{_SUBSCRIPT}|\\angle\s*[A-Z ]+{_SUBSCRIPT}"
_ASSIGNMENT = re.compile(rf"({_CALL}|{_MEASURED}|{_NAME})\s*=(?!=)(.*)", re.DOTALL)
_TUPLE_NAME = re.compile(rf"\((?:{_NAME}),\s*(?:{_NAME})(?:,\s*(?:{_NAME}))*\)=(?=\()")
_EXCLUSION = re.compile(rf"({_NAME})\s*\\neq(?![A-Za-z])\s*(.*)", re.DOTALL)
_MEMBER = re.compile(rf"({_NAME})\s*\\in(?![A-Za-z])\s*(.*)", re.DOTALL)
_BUILDER = re.compile(
    rf"\\?\{{\s*(?P<name>{_NAME})(?:\s*\\in\s*(?:\\mathbb\s*\{{?\s*)?R\}}?)?\s*(?:\||:)\s*"
    r"(?P<condition>.*?)"
    rf"\s*(?:,\s*{_NAME}\\in\s*\\mathbb\s*\{{?\s*R\}}?)?\s*\\?\}}",
    re.DOTALL,
)
_RELATION = re.compile(r"\\le(?![A-Za-z])|\\ge(?![A-Za-z])|<|>")
_SEPARATOR = re.compile(
    r"(?:,|;)?\s*(?:\\text\{\s*,?\s*(?:and|or)\s*,?\s*\}"
    r"|(?<![A-Za-z\\])(?:and|or)(?![A-Za-z]))\s*|[,;]"
)
_OR = re.compile(r"\\text\{\s*,?\s*or\s*,?\s*\}|(?<![A-Za-z\\])or(?![A-Za-z])|\\cup(?![A-Za-z])")
_SIGN = re.compile(r"\\(pm|mp)(?![A-Za-z])\s*")
_UNION = re.compile(r"\\cup(?![A-Za-z])\s*")
_BESIDE = re.compile(r":(?=\s*[(\[])")
_STATEMENTS = re.compile(r"(?:\(\d{1,2}\)){2,}")
_LATIN_NAME = re.compile(r"[A-Za-z](?:_\{?\d+\}?)?")
_INFINITY = "\\infty"
_MAX_SIGNS = 3
MAX_ITEMS = 40
"""Parts that are compared one by one; an answer with more is left to the parser."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The parts of an answer."""

    bracket: str
    """`()`, `[)` …, `{}` for sets, `or` for unions, `!=` for exclusions; empty for lists without
    brackets and for a single named value."""
    items: tuple[str, ...]
    names: tuple[str, ...] = ()
    """A name for each item, or one for all; empty if they have no names."""

    @property
    def is_ordered(self) -> bool:
        """Whether the order of the items counts."""
        return self.bracket not in ("", "{}", "or", "!=") or len(self.names) > 1

    @property
    def is_interval(self) -> bool:
        """Whether this can only be an interval, not a pair."""
        return len(self.items) == 2 and self.bracket in ("[]", "[)", "(]")


def read_shape(latex: str) -> Shape | None:
    """Take a tidy answer apart; None if it is one expression."""
    latex = _TUPLE_NAME.sub("", latex)
    region = _read_region(latex) or _read_region_twice(latex)
    if region is not None:
        return region
    if _STATEMENTS.fullmatch(latex):
        return Shape("{}", tuple(re.findall(r"\d+", latex)))
    exclusion = _read_exclusions(latex)
    if exclusion is not None:
        return exclusion
    parts = split_parts(latex)
    if len(parts) > MAX_ITEMS or any(map(_has_relation, parts[1:])):
        return None
    if len(parts) > 1:
        return _read_list(parts)
    named = _ASSIGNMENT.fullmatch(latex)
    if named is not None and not _is_chain(named.group(2)):
        values = _expand_signs(named.group(2))
        return Shape("", values, (named.group(1).strip(),))
    values = _expand_signs(latex)
    if len(values) > 1:
        return Shape("", values)
    return _read_bracket(latex)


def split_parts(latex: str) -> list[str]:
    """The parts between commas, semicolons, `and` and `or` outside all brackets."""
    depths = _depths(latex)
    if depths is None:
        return [latex]
    separators = [match for match in _SEPARATOR.finditer(latex) if depths[match.start()] == 0]
    spoken = [match for match in separators if match.group() != ","]
    if spoken:  # `1,234 and 5` are two numbers
        separators = [match for match in separators if not _is_in_number(latex, match)]
    parts, start = [], 0
    for match in separators:
        parts.append(latex[start : match.start()].strip())
        start = match.end()
    parts.append(latex[start:].strip())
    return parts if all(parts) else [latex]


def by_name(shape: Shape) -> Shape:
    """A shape whose items are in the order of their names, `x` before `y`."""
    if len(shape.names) < 2 or not all(_LATIN_NAME.fullmatch(name) for name in shape.names):
        return shape
    pairs = sorted(zip(shape.names, shape.items, strict=True), key=lambda pair: _sort_key(pair[0]))
    return replace(
        shape,
        names=tuple(name for name, _ in pairs),
        items=tuple(item for _, item in pairs),
    )


def _sort_key(name: str) -> tuple[str, int]:
    number = re.search(r"\d+", name)
    return name[0].lower(), int(number.group()) if number is not None else 0


def _read_list(parts: list[str]) -> Shape | None:
    named = [_ASSIGNMENT.fullmatch(part) for part in parts]
    if any(match is not None and _is_chain(match.group(2)) for match in named):
        return None
    names = [match.group(1).strip() if match is not None else None for match in named]
    values = [
        match.group(2) if match is not None else part
        for part, match in zip(parts, named, strict=True)
    ]
    if None not in names and len(set(names)) == len(names):
        return Shape("", tuple(values), tuple(name for name in names if name is not None))
    kinds = {name for name in names if name is not None}
    if len(kinds) > 1 or (kinds and names[0] is None):
        return Shape("", tuple(parts))
    items = tuple(item for value in values for item in _expand_signs(value))
    return Shape("", items, tuple(kinds)) if len(items) <= MAX_ITEMS else None


def _read_bracket(latex: str) -> Shape | None:
    for opening, closing, start in (("\\{", "\\}", 1), ("{", "}", 0), ("\\langle", "\\rangle", 7)):
        if latex.startswith(opening) and latex.endswith(closing):
            inner = latex[len(opening) : -len(closing)].strip()
            parts = split_parts(inner)
            if start < 7 and (len(parts) > 1 or opening == "\\{"):
                items = tuple(item for part in parts for item in _expand_signs(part))
                return Shape("{}", items) if inner and len(items) <= MAX_ITEMS else None
            return Shape("()", tuple(parts)) if len(parts) > 1 else None
    if latex[:1] not in ("(", "[") or latex[-1:] not in (")", "]"):
        return None
    depths = _depths(latex)
    if depths is None or depths.index(0, 1) != len(latex):
        return None
    parts = _split_commas(latex[1:-1])
    return Shape(latex[0] + latex[-1], tuple(parts)) if 1 < len(parts) <= MAX_ITEMS else None


def _split_commas(inner: str) -> list[str]:
    """The parts of a tuple: there a comma never separates thousands."""
    depths = _depths(inner)
    if depths is None:
        return [inner]
    parts, start = [], 0
    for index, character in enumerate(inner):
        if character in ",;" and depths[index] == 0:
            parts.append(inner[start:index].strip())
            start = index + 1
    parts.append(inner[start:].strip())
    return parts if all(parts) else [inner]


def _read_exclusions(latex: str) -> Shape | None:
    builder = _BUILDER.fullmatch(latex)
    parts = split_parts(builder["condition"] if builder is not None else latex)
    first = _EXCLUSION.fullmatch(parts[0])
    if first is None:
        return None
    values: list[str] = []
    for part in parts:
        match = _EXCLUSION.fullmatch(part)
        if match is not None and match.group(1) != first.group(1):
            return None
        values.extend(_expand_signs(match.group(2) if match is not None else part))
    return Shape("!=", tuple(values), () if builder is not None else (first.group(1),))


def _read_region(latex: str) -> Shape | None:
    """An interval or a union of them, however it is written."""
    builder = _BUILDER.fullmatch(latex)
    member = _MEMBER.fullmatch(latex)
    if builder is not None:
        inner = _read_region(builder["condition"])
        is_same = inner is not None and inner.names in ((), (builder["name"],))
        return replace(inner, names=()) if inner is not None and is_same else None
    if member is not None:
        inner = _read_region(member.group(2)) or _read_bracket(member.group(2))
        return replace(inner, names=(member.group(1),)) if inner is not None else None
    depths = _depths(latex)
    if depths is None:
        return None
    pieces, start = [], 0
    for match in _OR.finditer(latex):
        if depths[match.start()] == 0:
            pieces.append(latex[start : match.start()].strip())
            start = match.end()
    pieces.append(latex[start:].strip())
    regions = [_read_piece(piece) for piece in pieces]
    names = {name for region in regions if region is not None for name in region.names}
    if None in regions or len(names) > 1:
        return None
    if len(regions) == 1:
        return regions[0]
    if _UNION.search(latex) is None and not names:
        return None  # `(1,2) or (3,4)` are two pairs
    return Shape("or", tuple(_plain(region) for region in regions if region), tuple(names))


def _read_region_twice(latex: str) -> Shape | None:
    r"""A region that is written both ways, `x<2:(-\infty,2)`, if both say the same."""
    beside = _BESIDE.search(latex)
    if beside is None:
        return None
    relation = _read_region(latex[: beside.start()].strip())
    region = _read_region(latex[beside.end() :].strip())
    is_same = relation is not None and region == replace(relation, names=())
    return region if is_same else None


def _read_piece(piece: str) -> Shape | None:
    """One interval, as brackets or as a relation of a variable to bounds."""
    bracket = _read_bracket(piece)
    if bracket is not None:
        return bracket if len(bracket.items) == 2 and bracket.bracket != "{}" else None
    relations = list(_RELATION.finditer(piece))
    if len(relations) not in (1, 2) or "," in piece or ";" in piece or "=" in piece:
        return None
    ends = [piece[: relations[0].start()], piece[relations[-1].end() :]]
    signs = [relation.group().replace("\\le", "<=").replace("\\ge", ">=") for relation in relations]
    if len(relations) == 2:
        name = piece[relations[0].end() : relations[1].start()].strip()
        if signs[0][0] != signs[1][0] or re.fullmatch(_NAME, name) is None:
            return None
        if signs[0][0] == ">":
            ends, signs = ends[::-1], signs[::-1]
        return _interval(ends[0], ends[1], signs[0], signs[1], name)
    is_reversed = re.fullmatch(_NAME, ends[0].strip()) is None
    name, bound = [end.strip() for end in (ends[::-1] if is_reversed else ends)]
    if re.fullmatch(_NAME, name) is None or re.fullmatch(_NAME, bound) is not None:
        return None
    if (signs[0][0] == "<") != is_reversed:
        return _interval("-" + _INFINITY, bound, "<", signs[0], name)
    return _interval(bound, _INFINITY, signs[0], "<", name)


def _interval(low: str, high: str, low_sign: str, high_sign: str, name: str) -> Shape:
    opening = "[" if low_sign.endswith("=") else "("
    closing = "]" if high_sign.endswith("=") else ")"
    return Shape(opening + closing, (low.strip(), high.strip()), (name,))


def _plain(region: Shape) -> str:
    return f"{region.bracket[0]}{','.join(region.items)}{region.bracket[1]}"


def _expand_signs(latex: str) -> tuple[str, ...]:
    r"""Every choice of signs for `\pm`; `\mp` goes the other way."""
    signs = [match.group(1) for match in _SIGN.finditer(latex)]
    if not signs or len(signs) > _MAX_SIGNS:
        return (latex,)
    is_joint = "mp" in signs
    choices = product("+-", repeat=1 if is_joint else len(signs))
    expanded = []
    for choice in choices:
        each = iter(choice * len(signs) if is_joint else choice)
        expanded.append(_SIGN.sub(lambda match, each=each: _signed(match, next(each)), latex))
    return tuple(item.removeprefix("+") for item in expanded)


def _signed(match: re.Match[str], sign: str) -> str:
    if match.group(1) == "mp":
        sign = "-" if sign == "+" else "+"
    return "" if sign == "+" and match.string[: match.start()][-1:] in ("", "{", "(") else sign


def _is_chain(value: str) -> bool:
    r"""Whether a named value is itself an equation, as in `x=a=b` or `x=y\approx 2`."""
    depths = _depths(value)
    return depths is None or any(
        character in "=<>" and depths[index] == 0 for index, character in enumerate(value)
    )


def _has_relation(part: str) -> bool:
    depths = _depths(part)
    found = _RELATION.finditer(part)
    return any(depths is None or depths[match.start()] == 0 for match in found)


def _is_in_number(latex: str, match: re.Match[str]) -> bool:
    before, after = latex[: match.start()], latex[match.end() :]
    return match.group() == "," and before[-1:].isdigit() and bool(re.match(r"\d{3}(?!\d)", after))


def _depths(latex: str) -> list[int] | None:
    """How many brackets are open before each character, and at the end; None if they do not match.

    The brackets of an interval need not be of one kind.
    """
    depths, depth, index = [], 0, 0
    while index < len(latex):
        character = latex[index]
        is_escaped = character == "\\" and index + 1 < len(latex)
        depths.append(depth)
        if is_escaped and latex[index + 1] not in "{}":
            depths.append(depth)
            index += 2
            continue
        if is_escaped:
            index += 1
            character = latex[index]
            depths.append(depth)
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if is_escaped:
                depths[-1] = depth
        if depth < 0:
            return None
        index += 1
    depths.append(depth)
    return depths if depth == 0 else None
