"""The base of every config, and the hash that says two configs are the same."""

import hashlib
from typing import Self

from pydantic import BaseModel, ConfigDict


class FrozenConfig(BaseModel):
    """A config that cannot change after it was checked and rejects fields it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=True
    )

    def config_hash(self) -> str:
        """Twelve hex digits that are equal exactly when two configs of a class are equal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def with_fields(self, **changes: object) -> Self:
        """Copy this config with some fields changed, checked again.

        Raises:
            pydantic.ValidationError: a field is unknown or its value out of range.
        """
        return type(self).model_validate({**self.model_dump(), **changes})
