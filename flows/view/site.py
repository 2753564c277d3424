"""What all pages share: links, templates that escape every text, and the words of the glossary.

Texts of models are never markup: templates escape every value, and control characters and marks
that turn the direction of writing are written out, as on the terminal.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from flows.tables.output import visible
from flows.view.annotation import Annotator
from storage.viewing import Snapshot

Link = Callable[..., str | None]
_GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"
_ENTRY = re.compile(r"^- \*\*(?P<names>.+?)\*\*: (?P<words>.+)$", re.MULTILINE)
_NUM_ID_LETTERS = 12


@dataclass(frozen=True)
class Site:
    """A viewer of one store."""

    root: str
    """The store."""
    annotator: Annotator | None = None
    """Who may write labels; None where nothing is written."""
    is_static: bool = False
    """Whether its pages are files, which nobody answers for."""
    num_problems: int | None = None
    """The number of problems in a static site."""

    def asset(self, name: str) -> str:
        """The address of a file of the viewer's style or script."""
        return name if self.is_static else f"/static/{name}"


@dataclass(frozen=True)
class View:
    """What a page is made from: the store as it is, and the query of the page's address."""

    site: Site
    snapshot: Snapshot
    query: Mapping[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str:
        """A value of the query; empty if it is not given."""
        return self.query.get(name, "").strip()

    def need(self, name: str) -> str:
        """A value that the query must have.

        Raises:
            ValueError: it has not.
        """
        if not (value := self.get(name)):
            raise ValueError(f"expected ?{name}=… in the address of the page, got none")
        return value


class NotThere(ValueError):
    """What a page is about is not in the store."""


def render(template: str, link: Link, site: Site, **context: Any) -> str:
    """A page of HTML."""
    return _environment().get_template(template).render(link=link, site=site, **context)


def static_text(name: str) -> str:
    """A file of the viewer's style or script."""
    return (resources.files("flows.view") / "static" / name).read_text(encoding="utf-8")


@cache
def glossary() -> dict[str, str]:
    """What the words of the results mean, from docs/glossary.md; nothing where that is missing."""
    try:
        text = _GLOSSARY.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(text):
        words = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", entry["words"]).replace("`", "")
        for name in re.split(r"\*\*, \*\*", entry["names"]):
            found.setdefault(name.strip("`").lower(), words)
    return found


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("flows.view"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count_words,
        "number": number_words,
        "share": share_words,
        "ago": ago_words,
        "day": day_words,
        "duration": duration_words,
        "short": short_id,
        "clip": clip,
        "term": term,
    }
    environment.globals |= {"VERDICTS": VERDICTS}
    return environment


VERDICTS = {
    True: {"word": "right", "mark": "✓", "class": "right"},
    False: {"word": "wrong", "mark": "✗", "class": "wrong"},
    None: {"word": "ungraded", "mark": "?", "class": "ungraded"},
}
"""How a verdict is shown: by a word and a mark besides its colour."""


def _finalize(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value)
    return value


def count_words(value: float | None) -> str:
    """A count: `12,800`; empty for none."""
    return "" if value is None else f"{value:,.0f}"


def number_words(value: float | None, digits: int = 3) -> str:
    """A figure with its decimals; empty for none."""
    return "" if value is None else f"{value:.{digits}f}"


def share_words(value: float | None) -> str:
    """A share in per cent; empty for none."""
    return "" if value is None else f"{100 * value:.0f}%"


def day_words(value: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def ago_words(value: datetime | None) -> str:
    """How long ago, in the largest unit."""
    if value is None:
        return ""
    return f"{duration_words((datetime.now(UTC) - value).total_seconds())} ago"


def duration_words(seconds: float | None) -> str:
    """A duration in the largest unit: `3.2 s`, `12 min`, `5.1 h`, `3 days`."""
    if seconds is None:
        return ""
    for limit, size, unit, digits in (
        (90, 1, "s", 1),
        (5400, 60, "min", 0),
        (172800, 3600, "h", 1),
    ):
        if abs(seconds) < limit:
            return f"{seconds / size:.{digits}f} {unit}"
    return f"{seconds / 86400:.0f} days"


def short_id(value: str) -> str:
    """The beginning of an id, enough to tell it from others by eye."""
    return value if len(value) <= _NUM_ID_LETTERS + 1 else f"{value[:_NUM_ID_LETTERS]}…"


def clip(value: str | None, length: int) -> str:
    """The beginning of a text."""
    text = value or ""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def term(word: str, shown: str | None = None) -> Markup:
    """A word with what the glossary says about it one hover, or one touch of Tab, away."""
    text = visible(word if shown is None else shown)
    base = word.lower().split("[", 1)[0].strip()
    meaning = glossary().get(word.lower()) or glossary().get(base)
    if meaning is None:
        return Markup("{}").format(text)
    return Markup('<abbr title="{}" tabindex="0">{}</abbr>').format(visible(meaning), text)
