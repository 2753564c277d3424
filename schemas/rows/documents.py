"""A row is a text that searches may retrieve."""

from dataclasses import dataclass

from schemas.tables import Int32, TableSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A text that searches may retrieve."""

    document_id: str
    source: str
    title: str | None = None
    """What a retriever reads before the text, such as whose diary it is in."""
    text: str
    position: Int32
    """Its number in its source, from 0."""


DOCUMENTS = TableSpec("documents", Document)
