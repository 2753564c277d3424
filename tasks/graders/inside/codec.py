"""Plain values as JSON: what crosses between the judge of the tests and the program.

Nothing with a method of the program's own crosses: a value of another type becomes a number that
stands for it, and a subclass of a plain type the plain value.
"""

from collections.abc import Callable
from typing import Any

_MAX_DEPTH = 100


def encode(value: Any, refer: Callable[[Any], int], depth: int = 0) -> Any:
    """A value as JSON can hold it.

    Args:
        value: any object.
        refer: gives the number of an object that is not plain.
        depth: how many containers it is in.

    Raises:
        ValueError: it is nested too deeply.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("a value is nested too deeply")
    if value is None or value is True or value is False:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return ["i", int.__format__(value, "x")]
    if isinstance(value, float):
        return ["f", float.hex(value)]
    if isinstance(value, complex):
        return ["c", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, bytes):
        return ["b", bytes.hex(value)]
    kinds: Any = ((list, "l"), (tuple, "t"), (set, "s"), (frozenset, "z"))
    for kind, mark in kinds:
        if isinstance(value, kind):
            items = kind.__iter__(value)
            return [mark, *(encode(item, refer, depth + 1) for item in items)]
    if isinstance(value, dict):
        pairs = dict.items(value)
        return ["d", *([encode(part, refer, depth + 1) for part in pair] for pair in pairs)]
    return ["r", refer(value)]


def decode(value: Any, resolve: Callable[[int], Any]) -> Any:
    """The value of what `encode` made.

    Raises:
        ValueError: nothing that it makes.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if not isinstance(value, list) or not value:
        raise ValueError("not an encoded value")
    mark, *parts = value
    if mark == "i":
        return int(parts[0], 16)
    if mark == "f":
        return float.fromhex(parts[0])
    if mark == "c":
        return complex(*map(float.fromhex, parts))
    if mark == "b":
        return bytes.fromhex(parts[0])
    if mark == "r":
        return resolve(parts[0])
    if mark == "d":
        return {decode(key, resolve): decode(item, resolve) for key, item in parts}
    kinds: dict[Any, Callable] = {"l": list, "t": tuple, "s": set, "z": frozenset}
    return kinds[mark]([decode(part, resolve) for part in parts])
