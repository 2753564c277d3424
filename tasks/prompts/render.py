"""Texts put into the fields of a template, in a single pass."""

import re


def render(template: str, **fields: str) -> str:
    """The template with each `{name}` replaced by the text of that name.

    Texts are inserted unchanged: a field name in braces in one of them stays text. Braces around
    anything else are part of the template too, since LaTeX and programs are full of them.

    Raises:
        ValueError: the template lacks a field, or a field's value is not a text.
    """
    for name, text in fields.items():
        if not isinstance(text, str):
            raise ValueError(f"template field {name}: expected a text, got {text!r}")
        if f"{{{name}}}" not in template:
            raise ValueError(f"template: expected {{{name}}} in it, got {template!r}")
    places = re.compile(r"\{(" + "|".join(map(re.escape, fields)) + r")\}")
    return places.sub(lambda found: fields[found[1]], template) if fields else template
