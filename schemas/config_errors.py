"""The errors of a config as messages that say what was expected."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.fields import configs_in, is_offered, variant_of

_BOUNDS = {
    "greater_than_equal": ("ge", "at least"),
    "greater_than": ("gt", "more than"),
    "less_than_equal": ("le", "at most"),
    "less_than": ("lt", "less than"),
}
_WORDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "string": "a text",
    "tuple": "a list",
    "list": "a list",
    "dict": "fields with values",
    "model": "fields with values",
    "finite_number": "a finite number",
}
_OF_KINDS = ("_type", "_parsing", "_from_float", "_parsing_size")


def describe_errors(error: ValidationError, config_class: type[BaseModel]) -> str:
    """Name each wrong field, what was expected and what came."""
    found = error.errors()
    return "; ".join(_describe(config_class, each) for each in found if not _follows(each, found))


def _follows(error: Any, others: Sequence[Any]) -> bool:
    """Whether a list is too short only because elements are wrong, which have their own errors."""
    place = error["loc"]
    return error["type"] == "too_short" and any(
        other is not error and other["loc"][: len(place)] == place for other in others
    )


def _describe(config_class: type[BaseModel], error: Any) -> str:
    location = error["loc"]
    names, siblings, variants = _follow(config_class, location)
    name = ".".join(names) or "config"
    if error["type"] == "missing":
        return f"{name}: expected a value, got none"
    if error["type"] in ("union_tag_invalid", "union_tag_not_found"):
        return f"{name}: {_expected_type(error, variants)}"
    if error["type"] == "extra_forbidden" and siblings:
        near = get_close_matches(names[-1], siblings)
        known = dict.fromkeys([*near, *siblings])
        return f"{name}: no such field, expected one of {', '.join(known)}"
    if error["type"] == "value_error":  # raised by a config, and says what came
        return f"{name}: {error['ctx']['error']}"
    return f"{name}: {_words_for(error)}, got {error['input']!r}"


def _expected_type(error: Any, variants: Sequence[str]) -> str:
    """Which variants there are, among those that are offered."""
    given = error["input"]
    tag = given.get("type") if isinstance(given, Mapping) else None
    among = f", one of {', '.join(variants)}" if variants else ""
    if tag is None:
        return f"expected a `type`{among}, got {given!r}"
    near = get_close_matches(str(tag), variants, n=1)
    suggestion = f"; did you mean {near[0]}?" if near else ""
    return f"expected a known `type`{among}, got {tag!r}{suggestion}"


def _words_for(error: Any) -> str:
    """What a field expects, in the words of configs; pydantic's own for what is not foreseen."""
    context = error.get("ctx") or {}
    if (sign := _BOUNDS.get(error["type"])) is not None:
        name, words = sign
        return f"expected {words} {context[name]:g}"
    if error["type"] in ("too_short", "too_long"):
        most = error["type"] == "too_long"
        number = context["max_length" if most else "min_length"]
        return f"expected at {'most' if most else 'least'} {number} in the list"
    if error["type"] == "literal_error":
        return f"expected {context['expected']}"
    if error["type"] == "string_pattern_mismatch":
        return f"expected a text like {context['pattern']}"
    kind = error["type"].split("_")[0]
    if error["type"] in _WORDS or (kind in _WORDS and error["type"].endswith(_OF_KINDS)):
        return f"expected {_WORDS.get(error['type'], _WORDS.get(kind))}"
    return error["msg"]


def _follow(
    config_class: type[BaseModel], location: Sequence[int | str]
) -> tuple[list[str], list[str], list[str]]:
    """The path of a field as the caller wrote it, its siblings, and the variants that it offers.

    If `type` chose one of several configs, pydantic's location also contains the chosen name, which
    the caller did not write.
    """
    names: list[str] = []
    here: list[type[BaseModel]] = [config_class]
    siblings: list[str] = []
    for part in location:
        if isinstance(part, int):  # an element of a list has the configs that the list may hold
            names.append(str(part))
            continue
        chosen = [config for config in here if variant_of(config) == part]
        if len(here) > 1 and chosen:
            here = chosen
            continue
        names.append(str(part))
        siblings = list(here[0].model_fields) if len(here) == 1 else []
        fields = [config.model_fields[part] for config in here if part in config.model_fields]
        here = [config for field in fields for config in configs_in(field.annotation)]
    offered = [config for config in here if is_offered(config)]
    variants = [str(variant) for config in offered if (variant := variant_of(config)) is not None]
    return names, siblings, variants
