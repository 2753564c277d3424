"""The errors of a config as messages that say what was expected."""

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.fields import configs_in, variant_of


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
    names, siblings = _follow(config_class, location)
    name = ".".join(names) or "config"
    if error["type"] == "missing":
        return f"{name}: expected a value, got none"
    if error["type"] == "extra_forbidden" and siblings:
        near = get_close_matches(names[-1], siblings)
        known = dict.fromkeys([*near, *siblings])
        return f"{name}: no such field, expected one of {', '.join(known)}"
    if error["type"] == "value_error":  # raised by a config, and says what came
        return f"{name}: {error['ctx']['error']}"
    return f"{name}: {error['msg']}, got {error['input']!r}"


def _follow(
    config_class: type[BaseModel], location: Sequence[int | str]
) -> tuple[list[str], list[str]]:
    """The path of a field as the caller wrote it, and the fields of the config that contains it.

    If `type` chose one of several configs, pydantic's location also contains the chosen name, which
    the caller did not write.
    """
    names: list[str] = []
    here: list[type[BaseModel]] = [config_class]
    siblings: list[str] = []
    for part in location:
        chosen = [config for config in here if variant_of(config) == part]
        if len(here) > 1 and chosen:
            here = chosen
            continue
        names.append(str(part))
        siblings = list(here[0].model_fields) if len(here) == 1 else []
        fields = [config.model_fields[part] for config in here if part in config.model_fields]
        here = [config for field in fields for config in configs_in(field.annotation)]
    return names, siblings
