"""`stepmill describe`: the flows, and every field of a flow, strategy, builder or other variant.

All of it is read from the registry and the configs: their fields, defaults and docstrings; and what
is known about a data set or a prompt preset.
"""

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from flows.commands.options import TextFormat
from flows.registry import FLOWS, RECORDS, VARIANTS, Record, find_configs, find_records
from flows.tables.formats import check_format
from schemas.fields import ConfigText, FieldText, describe_config, summary_of

_INDENT = "    "


def describe(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A flow, a variant such as a strategy, builder or training method, a data set or "
            "a prompt preset; by default the list of all."
        ),
    ] = None,
    output: TextFormat = "text",
) -> None:
    """List the flows; or print every field of one, with type, default and meaning.

    For example:

    - `stepmill describe`
    - `stepmill describe search`
    - `stepmill describe beam`
    - `stepmill describe gsm8k`
    """
    check_format(output, "text", "json")
    if name is None:
        found: Any = list_everything()
        lines = list(_list_lines(found))
    else:
        texts = [(kind, describe_config(config)) for kind, config in find_configs(name)]
        found = [{"name": name, "kind": kind, **asdict(text)} for kind, text in texts]
        lines = [line for kind, text in texts for line in [*_page(name, kind, text), ""]]
        for kind, record in find_records(name):
            told = {"summary": record.summary, **record.facts}
            found.append({"name": name, "kind": kind, **told})
            lines += [*_record_lines(name, kind, record), ""]
    if output == "json":
        sys.stdout.write(json.dumps(found) + "\n")
    else:
        sys.stdout.write("\n".join(lines).rstrip() + "\n")


def list_everything() -> dict[str, dict[str, str]]:
    """The summary of every flow and of every variant that is offered, by kind and name."""
    found: dict[str, dict[str, str]] = {}
    for flow in FLOWS.values():
        found.setdefault(flow.kind, {})[flow.name] = flow.summary
    for kind, variants in VARIANTS.items():
        offered = {name: config for name, config in variants.items() if config.is_offered}
        found[kind] = {name: summary_of(config) for name, config in offered.items()}
    for kind, records in RECORDS.items():
        found[kind] = {name: record.summary for name, record in records.items()}
    return found


def _list_lines(found: dict[str, dict[str, str]]) -> Iterator[str]:
    width = max(len(name) for names in found.values() for name in names)
    for kind, names in found.items():
        yield f"{kind}:"
        for name, summary in names.items():
            yield from _wrap(summary, f"  {name:<{width}}  ", " " * (width + 4))
        yield ""
    yield (
        "`stepmill describe NAME` prints every field, or what is known of a data set or preset; "
        "`stepmill run FLOW` runs a flow."
    )


def _page(name: str, kind: str, text: ConfigText) -> Iterator[str]:
    yield from _wrap(f"{name} ({kind}, {text.config}): {text.summary}", "", _INDENT)
    yield ""
    yield from _field_lines(text, "", "", {})


def _record_lines(name: str, kind: str, record: Record) -> Iterator[str]:
    """What is known about a data set or a preset."""
    yield from _wrap(f"{name} ({kind}): {record.summary}", "", _INDENT)
    yield ""
    for fact, text in record.facts.items():
        yield from _wrap(f"{fact}: {text}", "", _INDENT)


def _field_lines(
    text: ConfigText, place: str, indent: str, shown: dict[str, tuple[str, ConfigText]]
) -> Iterator[str]:
    """The fields of a config; if it was shown before, only what differs.

    Args:
        text: the config.
        place: the path of the field that holds it, with a dot at the end.
        indent: what its fields are indented by.
        shown: where each config was shown first.
    """
    first = shown.get(text.config)
    if first is not None:
        known = {field.name: field for field in first[1].fields}
        for field in text.fields:
            if field.default != known[field.name].default:
                yield f"{indent}{_head(field)}"
        yield f"{indent}(fields as in {first[0]})"
        return
    shown[text.config] = (place.rstrip(".") or text.config, text)
    for field in text.fields:
        if field.name == "type" and text.type is not None and place:
            continue
        yield from _wrap(_head(field), indent, indent + _INDENT)
        yield from _wrap(field.meaning, indent + _INDENT, indent + _INDENT)
        for config in field.configs:
            deeper = indent + _INDENT
            if config.type is not None:
                yield from _wrap(f"type: {config.type} - {config.summary}", deeper, deeper + "  ")
                deeper += _INDENT
            yield from _field_lines(config, f"{place}{field.name}.", deeper, shown)


def _head(field: FieldText) -> str:
    """The name, type and default of a field."""
    default = "required" if field.is_required else f"default {_default(field)}"
    return f"{field.name}: {field.type}, {default}"


def _default(field: FieldText) -> str:
    """A default; for a nested config only its type, as its fields follow with their defaults."""
    value = field.default
    if field.configs and isinstance(value, dict):
        return value.get("type", "below")
    if field.configs and isinstance(value, list):
        return json.dumps([each.get("type", each) for each in value])
    return json.dumps(value, ensure_ascii=False)


def _wrap(text: str, first: str, rest: str) -> list[str]:
    width = min(shutil.get_terminal_size((100, 24)).columns, 100)
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )
