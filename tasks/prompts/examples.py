"""Few-shot examples, from a prompt's config or from the first rows of a file."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

from schemas.prompts import AnyPromptConfig, Example, ExamplesFile


def load_examples(config: AnyPromptConfig) -> tuple[Example, ...]:
    """The examples of a prompt, in the order in which they are shown.

    Raises:
        ValueError: the file does not exist, has too few rows, or one of them has no question or
            answer.
    """
    if not isinstance(config.examples, ExamplesFile):
        return config.examples
    source, file = config.examples, Path(config.examples.file).expanduser()
    if not file.is_file():
        raise ValueError(f"examples.file: expected a JSON Lines file, got {file.absolute()}: none")
    with file.open(encoding="utf-8") as lines:
        rows = list(islice((line for line in lines if line.strip()), source.num))
    if len(rows) < source.num:
        raise ValueError(
            f"examples.num: expected at most {len(rows)}, the rows of {file}, got {source.num}"
        )
    return tuple(_read_row(line, number, source) for number, line in enumerate(rows, 1))


def _read_row(line: str, number: int, source: ExamplesFile) -> Example:
    where = f"examples.file {source.file}, row {number}"
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: expected JSON, got {line.strip()[:80]!r}: {error}") from error
    texts = []
    for field, column in (
        ("question_column", source.question_column),
        ("answer_column", source.answer_column),
    ):
        text = row.get(column) if isinstance(row, dict) else None
        if not isinstance(text, str) or not text.strip():
            has = ", ".join(row) if isinstance(row, dict) else type(row).__name__
            raise ValueError(f"{where}: expected a text in {column!r} ({field}), it has {has}")
        texts.append(text)
    return Example(question=texts[0], answer=texts[1])
