"""What is wrong with a config, in words that say what was expected."""

import types
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError


def describe_errors(error: ValidationError, config_class: type[BaseModel]) -> str:
    """Name each field that is wrong, what was expected and what came."""
    found = error.errors()
    return "; ".join(_describe(config_class, each) for each in found if not _follows(each, found))


def _follows(error: Any, others: Sequence[Any]) -> bool:
    """Whether a list is only too short because what it holds is wrong, which is said anyway."""
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
        return f"{name}: no such field, expected one of {', '.join(siblings)}"
    if error["type"] == "value_error":  # ours, which says what came
        return f"{name}: {error['ctx']['error']}"
    return f"{name}: {error['msg']}, got {error['input']!r}"


def _follow(
    config_class: type[BaseModel], location: Sequence[int | str]
) -> tuple[list[str], list[str]]:
    """A place as the caller wrote it, and the fields of the config that it lies in.

    Where `type` chose one of several configs, pydantic's location has the chosen one's name, which
    the caller did not write.
    """
    names: list[str] = []
    here: list[type[BaseModel]] = [config_class]
    siblings: list[str] = []
    for part in location:
        chosen = [config for config in here if _variant(config) == part]
        if len(here) > 1 and chosen:
            here = chosen
            continue
        names.append(str(part))
        siblings = list(here[0].model_fields) if len(here) == 1 else []
        fields = [config.model_fields[part] for config in here if part in config.model_fields]
        here = [config for field in fields for config in _configs_in(field.annotation)]
    return names, siblings


def _configs_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType):
        for part in get_args(annotation):
            yield from _configs_in(part)


def _variant(config_class: type[BaseModel]) -> Any:
    field = config_class.model_fields.get("type")
    return None if field is None else field.default
