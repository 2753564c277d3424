"""The base of every config, and the hash that says two configs are the same."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema

from schemas.config_errors import describe_errors
from schemas.json_schemas import describe_fields

_UNCOUNTED = ("pool", "server")
"""Fields that are left out of a config's hash."""

SetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
"""The name of a set of problems in a run, such as `train` or `eval`; without a dot."""


class FrozenConfig(BaseModel):
    """A config that cannot change after it was checked and rejects fields it does not know.

    A nested config may be given in part: then the other fields are those of the field's default,
    not those of the nested class. One whose `type` differs from the default's starts from its
    own defaults. So a file, `--set`, a deployment's parameters and Python mean the same.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    def config_hash(self) -> str:
        """Twelve hex digits, equal when two configs make the same rows.

        A field named `pool` or `server` does not count, here or in a nested config: how work is
        spread and where a model is served do not change what is made.
        """
        text = self.model_dump_json(exclude=self._uncounted())
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def _uncounted(self) -> dict[str, Any]:
        """The fields left out of the hash, as pydantic takes them."""
        uncounted: dict[str, Any] = {}
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name in _UNCOUNTED:
                uncounted[name] = True
            elif isinstance(value, FrozenConfig) and (nested := value._uncounted()):
                uncounted[name] = nested
        return uncounted

    def with_fields(self, **changes: object) -> Self:
        """Copy this config with some fields changed, checked again.

        Raises:
            pydantic.ValidationError: a field is unknown or its value out of range.
        """
        return type(self).model_validate({**self.model_dump(), **changes})

    @classmethod
    def from_partial(cls, values: Mapping[str, Any]) -> Self:
        """The defaults with some values, nested ones too, put in their place.

        Raises:
            ValueError: names each field that is wrong, what was expected and what came.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(f"{cls.__name__}: {describe_errors(error, cls)}") from error

    @model_validator(mode="before")
    @classmethod
    def _complete_nested(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        defaults = {name: field.default for name, field in cls.model_fields.items()}
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
        """Pydantic's schema, in which what may be left out is not required."""
        schema = handler(core_schema)
        describe_fields(handler.resolve_ref_schema(schema), cls, handler)
        return schema


def _merge(base: Any, values: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(values, Mapping):
        return values
    if "type" in values and values["type"] != base.get("type"):
        return values
    return {**base, **{name: _merge(base.get(name), value) for name, value in values.items()}}
