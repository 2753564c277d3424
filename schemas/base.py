"""The base of every config, and the hash that says two configs are the same."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

SetName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$")]
"""The name of a set of problems in a run, such as `train` or `eval`; without a dot."""


class FrozenConfig(BaseModel):
    """A config that cannot change after it was checked and rejects fields it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    def config_hash(self) -> str:
        """Twelve hex digits, equal when two configs make the same rows.

        A field named `pool` does not count: how work is spread does not change what is made.
        """
        return hashlib.sha256(self.model_dump_json(exclude={"pool"}).encode()).hexdigest()[:12]

    def with_fields(self, **changes: object) -> Self:
        """Copy this config with some fields changed, checked again.

        Raises:
            pydantic.ValidationError: a field is unknown or its value out of range.
        """
        return type(self).model_validate({**self.model_dump(), **changes})

    @classmethod
    def from_partial(cls, values: Mapping[str, Any]) -> Self:
        """The defaults with some values, nested ones too, put in their place.

        A nested config whose `type` differs from the default's starts from its own defaults.

        Raises:
            ValueError: names each field that is wrong, what was expected and what came.
        """
        required = [n for n, f in cls.model_fields.items() if f.is_required() and n not in values]
        base = {} if required else cls(**{}).model_dump()
        try:
            return cls.model_validate(_merge(base, values))
        except ValidationError as error:
            problems = [
                f"{'.'.join(map(str, e['loc'])) or 'config'}: {e['msg']}, got {e['input']!r}"
                for e in error.errors()
            ]
            raise ValueError(f"{cls.__name__}: {'; '.join(problems)}") from error


def _merge(base: Any, values: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(values, Mapping):
        return values
    if "type" in values and values["type"] != base.get("type"):
        return values
    return {**base, **{name: _merge(base.get(name), value) for name, value in values.items()}}
