"""Documents as rows of the store, from the source that a config names.

A row without text is left out and named; the others are read. Ids are a hash of source, row number
and text.
"""

from itertools import islice

from schemas.retrieval import DiariesConfig, DocumentsConfig, FileDocumentsConfig
from schemas.rows import Document
from schemas.units import derive_id
from tasks.problems.files import check_columns, check_text
from tasks.problems.load import world_stories
from tasks.problems.row_files import BadRow, Row, iterate_rows, shorten
from tasks.world.diaries import write_diaries
from tasks.world.problems import iterate_problems


def load_documents(config: DocumentsConfig) -> tuple[list[Document], list[str]]:
    """Make or read the documents a config names.

    Returns:
        The documents in order, and a note per row left out, with its number from 0.

    Raises:
        ValueError: the file or a column does not exist, or no row can be used.
    """
    if isinstance(config, DiariesConfig):
        return _write_diaries(config), []
    documents, notes = _read_file(config)
    if not documents:
        what = f"none of its {len(notes)} rows can be used; {notes[0]}" if notes else "it is empty"
        raise ValueError(f"expected at least one document in {config.path}: {what}")
    return documents, notes


def _write_diaries(config: DiariesConfig) -> list[Document]:
    stories = world_stories(config.problems)
    known = {story.question for story in stories}
    stream = iterate_problems(f"others of {config.problems.seed}", config.problems.split)
    others = (story for story in stream if story.question not in known)
    return write_diaries([*stories, *islice(others, config.num_others)])


def _read_file(config: FileDocumentsConfig) -> tuple[list[Document], list[str]]:
    source = config.source or config.path.stem
    rows = list(iterate_rows(config.path, config.limit))
    there = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    wanted = {"text_column": config.text_column, "title_column": config.title_column}
    check_columns(there, wanted, source)
    documents, notes = [], []
    for index, row in enumerate(rows):
        try:
            documents.append(_to_document(row, index, config, source))
        except BadRow as error:
            notes.append(f"row {index} is left out: {error}")
    return documents, notes


def _to_document(row: Row, index: int, config: FileDocumentsConfig, source: str) -> Document:
    """The document of a row.

    Raises:
        BadRow: it holds no text.
    """
    if isinstance(row, BadRow):
        raise row
    text = row.get(config.text_column)
    if not isinstance(text, str) or not text.strip():
        raise BadRow(f"expected text in column {config.text_column!r}, got {shorten(text)}")
    title = row.get(config.title_column) if config.title_column else None
    return Document(
        document_id=derive_id(source, index, text),
        source=source,
        title=None if title is None else check_text(str(title), "the title"),
        text=check_text(text.strip(), "the text"),
        position=index,
    )
