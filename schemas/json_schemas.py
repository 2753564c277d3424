"""JSON schemas that match what configs accept, for forms and servers that check them.

Pydantic's own schema is stricter than the configs in one place and vaguer in another. A nested
config may be given in part if its field has a default, so nothing in it is required there. And a
union on `type` becomes a choice by `type` instead of `oneOf`, so that an error names the wrong
field rather than "not valid under any of the given schemas".
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler

Schema = dict[str, Any]


def describe_fields(body: Schema, config: type[BaseModel], handler: GetJsonSchemaHandler) -> None:
    """Rewrite the properties of a config's schema in place."""
    for name, field in config.model_fields.items():
        given = field.default if isinstance(field.default, BaseModel) else None
        property_ = body["properties"][name]
        body["properties"][name] = _rewrite(property_, given, handler)


def _rewrite(schema: Schema, given: BaseModel | None, handler: GetJsonSchemaHandler) -> Schema:
    if "anyOf" in schema:
        return {**schema, "anyOf": [_rewrite(s, given, handler) for s in schema["anyOf"]]}
    if "discriminator" in schema:
        rest = {k: v for k, v in schema.items() if k not in ("oneOf", "discriminator")}
        return {**rest, **_choose(schema["discriminator"], given, handler)}
    if "$ref" in schema and given is not None:
        rest = {k: v for k, v in schema.items() if k != "$ref"}
        return {**_without_required(schema["$ref"], given, handler), **rest}
    return schema


def _choose(
    discriminator: Mapping[str, Any], given: BaseModel | None, handler: GetJsonSchemaHandler
) -> Schema:
    """The branch that `type` names; without a `type`, the branch of the default, if any."""
    key, references = discriminator["propertyName"], dict(discriminator["mapping"])
    usual = None if given is None else getattr(given, key)
    choice: Schema = {"properties": {key: {"enum": sorted(references)}}, "required": [key]}
    for tag in sorted(references, reverse=True):
        if tag != usual:
            is_tag = {"properties": {key: {"const": tag}}, "required": [key]}
            choice = {"if": is_tag, "then": {"$ref": references[tag]}, "else": choice}
    if given is not None:
        may_be_usual = {"properties": {key: {"const": usual}}}
        branch = _without_required(references[usual], given, handler)
        choice = {"if": may_be_usual, "then": branch, "else": choice}
    return choice


def _without_required(reference: str, given: BaseModel, handler: GetJsonSchemaHandler) -> Schema:
    """The body of the config of a default, in which nothing is required."""
    try:
        body = handler.resolve_ref_schema({"$ref": reference})
    except LookupError:
        # Configs that occur several times are defined in the order of their names, so that this one
        # may still be missing.
        body = handler.resolve_ref_schema(handler(type(given).__pydantic_core_schema__))
    return {key: value for key, value in body.items() if key != "required"}
