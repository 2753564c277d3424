"""The fields of configs as values: what may be set, to what, and what it means.

Everything here is read from the configs' own annotations, constraints, defaults and docstrings.
"""

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

_BOUNDS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldText:
    """One field of a config."""

    name: str
    type: str
    """For example `int >= 1`, `"grade" | "score"` or `list of RestConfig`."""
    is_required: bool
    default: Any
    """As JSON can hold it; None if the field is required."""
    meaning: str
    configs: tuple["ConfigText", ...] = ()
    """The configs that a nested field may hold: one, or several to choose from by `type`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigText:
    """A config: its name, what it is, and its fields."""

    config: str
    type: str | None
    """The value of `type` that chooses it; None for a config that is not one of several."""
    summary: str
    fields: tuple[FieldText, ...]


def describe_config(config_class: type[BaseModel], given: BaseModel | None = None) -> ConfigText:
    """All fields of a config, nested ones included.

    Args:
        config_class: the config.
        given: an instance whose values are the defaults; None for those of the class.
    """
    return ConfigText(
        config=config_class.__name__,
        type=variant_of(config_class),
        summary=summary_of(config_class),
        fields=tuple(
            _describe_field(name, field, given) for name, field in config_class.model_fields.items()
        ),
    )


def summary_of(config_class: type[BaseModel]) -> str:
    """The first paragraph of a config's docstring, on one line."""
    return " ".join((config_class.__doc__ or "").split("\n\n")[0].split())


def configs_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The configs that a field may hold, directly or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, types.UnionType, tuple, list):
        for part in get_args(annotation):
            yield from configs_in(part)


def variants_of(annotation: Any) -> dict[str, type[Any]]:
    """The configs of a union by their `type`, in order."""
    return {str(variant_of(config)): config for config in configs_in(annotation)}


def variant_of(config_class: type[BaseModel]) -> Any:
    """The fixed value of the field `type` of a config; None if it has no such field."""
    field = config_class.model_fields.get("type")
    return None if field is None else field.default


def is_offered(annotation: Any) -> bool:
    """Whether a choice is named in lists; see `FrozenConfig.is_offered`."""
    return getattr(annotation, "is_offered", True)


def _describe_field(name: str, field: FieldInfo, given: BaseModel | None) -> FieldText:
    default = field.default if given is None else getattr(given, name)
    is_required = default is PydanticUndefined
    given_as = _given_as(field)
    choices = [config for config in configs_in(given_as) if is_offered(config)]
    return FieldText(
        name=name,
        type=_type_text(given_as, field.metadata),
        is_required=is_required,
        default=None if is_required else _plain(default),
        meaning=" ".join((field.description or "").split()),
        configs=tuple(
            describe_config(config, default if type(default) is config else None)
            for config in choices
        ),
    )


def _given_as(field: FieldInfo) -> Any:
    """The type of what a caller may give: more than what the field holds, where it is resolved."""
    for mark in field.metadata:
        given = getattr(mark, "json_schema_input_type", PydanticUndefined)
        if given is not PydanticUndefined:
            return given
    return field.annotation


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    return value


def _type_text(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    """A type in words, with its bounds."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_text(parts[0], [*parts[1:], *metadata])
    if origin is Literal:
        text = " | ".join(map(repr, parts)).replace("'", '"')
    elif origin in (Union, types.UnionType):
        offered = [part for part in parts if is_offered(part)]
        text = " | ".join(dict.fromkeys(_type_text(part) for part in offered))
    elif origin in (tuple, list):
        text = f"list of {_type_text(parts[0])}"
    elif annotation is type(None):
        text = "null"
    else:
        text = str(_config_name(annotation) or getattr(annotation, "__name__", annotation))
    return text + "".join(f" {bound}" for bound in _bounds(metadata))


def _config_name(annotation: Any) -> str | None:
    """The `type` of a config that is one of several, else its class; None for anything else."""
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return None
    return variant_of(annotation) or annotation.__name__


def _bounds(metadata: Sequence[Any]) -> Iterator[str]:
    for mark in metadata:
        if isinstance(mark, FieldInfo):
            yield from _bounds(mark.metadata)
        for name, sign in _BOUNDS.items():
            if (bound := getattr(mark, name, None)) is not None:
                yield f"{sign} {bound}"
        if isinstance(mark, annotated_types.MinLen):
            yield f"of at least {mark.min_length}"
        if (pattern := getattr(mark, "pattern", None)) is not None:
            yield f"like {pattern}"
