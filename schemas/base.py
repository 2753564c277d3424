"""The base of every config, and the hash that says two configs are the same."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import CoreSchema, to_json

from schemas.config_errors import describe_errors
from schemas.json_schemas import describe_fields

_LARGEST = 2**63
_SHOWN_BITS = 256
_UNCOUNTED = ("pool", "server")
"""Fields that are left out of a config's identity."""


@dataclass(frozen=True, slots=True)
class Was:
    """Marks a renamed field: `Annotated[int, Was("old_name")]`.

    The old name is still accepted, and is the one used in the config's identity, so that hashes,
    unit names and recorded runs of older versions stay valid.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Since:
    """Marks a field added in a schema version: `Annotated[bool, Since(4)] = False`.

    The config's identity leaves it out while it has its default, so that configs of older versions
    keep their hashes.
    """

    version: int


SetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
"""The name of a set of problems in a run, such as `train` or `eval`; without a dot."""


class FrozenConfig(BaseModel):
    """A config that cannot change once checked, and rejects unknown fields.

    A nested config may be given in part: its other fields then come from the default of the field
    that holds it, not from the nested class. If its `type` differs from that default's, they come
    from its own class. So a file, `--set`, a deployment's parameters and Python mean the same.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        validate_default=True,
        allow_inf_nan=False,
        defer_build=True,
    )

    identity_order: ClassVar[tuple[str, ...]] = ()
    """The order of the fields in the identity, if it differs from that of the definition."""

    is_offered: ClassVar[bool] = True
    """Whether lists, help and messages name this variant as a choice. One that is not offered, as
    an engine with known probabilities, is accepted and described by its name all the same."""

    def stored_sets(self) -> tuple[str, ...] | None:
        """The sets of problems that a run must already have for this job; None if it needs no run.

        Empty if it needs a run, and looks for the sets itself.
        """
        return None

    def __hash__(self) -> int:
        """Equal for equal configs, also of fields that are dictionaries."""
        return hash(json.dumps(self.model_dump(mode="json"), sort_keys=True))

    def config_hash(self) -> str:
        """Twelve hex digits, equal when two configs make the same rows."""
        return hashlib.sha256(to_json(self.identity(), inf_nan_mode="null")).hexdigest()[:12]

    def identity(self) -> dict[str, Any]:
        """The fields that decide which rows are made, by their original names.

        A field named `pool` or `server` does not count, here or in a nested config: how work is
        distributed and where a model is served do not change the rows. See also `Was` and `Since`.
        """
        fields = type(self).model_fields
        order = [
            *self.identity_order,
            *(name for name in fields if name not in self.identity_order),
        ]
        counted = {}
        for name in order:
            value = getattr(self, name)
            marks = fields[name].metadata
            is_new = any(isinstance(mark, Since) for mark in marks)
            if name in _UNCOUNTED or (is_new and value == fields[name].get_default()):
                continue
            counted[_first_name(name, fields[name])] = _identify(value)
        return counted

    def with_fields(self, **changes: object) -> Self:
        """A checked copy of this config with some fields changed.

        Raises:
            pydantic.ValidationError: a field is unknown or its value out of range.
        """
        return type(self).model_validate({**self.model_dump(), **changes})

    @classmethod
    def from_partial(cls, values: Mapping[str, Any]) -> Self:
        """The defaults with some values replaced, including nested ones.

        Raises:
            ValueError: names each wrong field, what was expected and what came.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(f"{cls.__name__}: {describe_errors(error, cls)}") from error

    @model_validator(mode="before")
    @classmethod
    def _complete_nested(cls, values: Any) -> Any:
        return cls.complete(values)

    @model_validator(mode="after")
    def _has_usable_numbers(self) -> Self:
        for name, value in self:
            _check_numbers(name, value)
        return self

    @classmethod
    def complete(cls, values: Any) -> Any:
        """Unchecked values by present names, in which nested configs given in part are whole."""
        if not isinstance(values, Mapping):
            return values
        defaults = {name: field.default for name, field in cls.model_fields.items()}
        renamed = {_first_name(name, field): name for name, field in cls.model_fields.items()}
        values = {
            name if name in defaults else renamed.get(name, name): value
            for name, value in values.items()
        }
        return {
            name: _merge(default.model_dump(), value)
            if isinstance(default := defaults.get(name), FrozenConfig)
            else value
            for name, value in values.items()
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Pydantic's schema, in which fields that may be left out are not required."""
        schema = handler(core_schema)
        describe_fields(handler.resolve_ref_schema(schema), cls, handler)
        return schema


def _first_name(name: str, field: FieldInfo) -> str:
    """The original name of a field."""
    return next((mark.name for mark in field.metadata if isinstance(mark, Was)), name)


def _identify(value: Any) -> Any:
    if isinstance(value, FrozenConfig):
        return value.identity()
    if isinstance(value, (tuple, list)):
        return [_identify(each) for each in value]
    if isinstance(value, Mapping):
        return {key: _identify(each) for key, each in value.items()}
    return value


def _merge(base: Any, values: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(values, Mapping):
        return values
    if "type" in values and values["type"] != base.get("type"):
        return values
    return {**base, **{name: _merge(base.get(name), value) for name, value in values.items()}}


def _check_numbers(name: str, value: object) -> None:
    """Refuse a number that no column holds, in a field or anywhere in its lists and mappings."""
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise ValueError(f"{name}: expected less than 2^63, got {_shorten(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{name}: expected a finite number, got {value}")
    if isinstance(value, Mapping):
        for key, inside in value.items():
            _check_numbers(f"{name}.{key}", inside)
    elif isinstance(value, list | tuple):
        for place, inside in enumerate(value):
            _check_numbers(f"{name}.{place}", inside)


def _shorten(value: int) -> str:
    """A number in a message; one of thousands of digits by its size."""
    bits = value.bit_length()
    return str(value) if bits <= _SHOWN_BITS else f"one of {bits:,} bits"
