"""The rows of a named public set, from the hub or from a copy, as problems.

A record of `schemas/data_sets` says which columns hold what. Problems are numbered over all rows of
the split, those left out included, so ids do not depend on what is left out.
"""

import json
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from schemas.data_sets import DataSet
from schemas.problems import ColumnsConfig, NamedProblemsConfig
from schemas.rows import Problem
from schemas.units import derive_seed
from tasks.problems.files import to_problem
from tasks.problems.hub import load_hub_rows, name_hub_rows
from tasks.problems.row_files import BadRow, iterate_rows

_FLAT = ColumnsConfig(solution_column="solution", level_column="level", subject_column="subject")
"""Columns of a row after `_flatten`."""

Cells = Mapping[str, Any]


class _Unwanted(Exception):
    """Why a row is left out that is as it should be; counted, not listed row by row."""


def read_named(config: NamedProblemsConfig) -> tuple[list[Problem], list[str]]:
    """The problems of a set.

    Returns:
        The problems in order, and notes: one for each row that cannot be used, and one for each
        reason for which rows are left out.

    Raises:
        ValueError: the set or the copy cannot be loaded, or its columns are others than expected.
    """
    known = config.data_set
    columns = _FLAT.with_fields(
        gold_format="solution" if known.gold_form == "solution" else "plain",
        check_column="check" if known.check else None,
    )
    problems: list[Problem] = []
    notes: list[str] = []
    unwanted: Counter[str] = Counter()
    for index, row in enumerate(islice(_open_rows(config), config.limit)):
        try:
            if isinstance(row, BadRow):
                raise row
            flat = _flatten(known, row)
            split = str(config.split)
            problem = to_problem(flat, index, columns, source=known.dataset, split=split)
            problems.append(problem)
        except BadRow as error:
            notes.append(f"row {index} is left out: {error}")
        except _Unwanted as reason:
            unwanted[str(reason)] += 1
    notes += [
        f"{count:,} {'row is' if count == 1 else 'rows are'} left out: {reason}"
        for reason, count in unwanted.items()
    ]
    return problems, notes


def _open_rows(config: NamedProblemsConfig) -> Iterator[Any]:
    """The rows of the split with the needed columns; a BadRow for one that cannot be read."""
    known, path = config.data_set, config.path or _shipped(config)
    if path is not None and path.suffix in (".jsonl", ".gz", ".parquet") and not path.is_dir():
        rows = list(iterate_rows(path, config.limit))
        there = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
        _check_columns(known, there, str(path))
        yield from rows
        return
    for name, part in _load(config):
        _check_columns(known, part.column_names, name)
        yield from part.select_columns(list(known.columns))


def _shipped(config: NamedProblemsConfig) -> Path | None:
    """The file in an installed package that has the rows, if there is one."""
    package = config.data_set.package
    if package is None or config.revision is not None:
        return None
    name, file = package
    found = find_spec(name)
    path = None if found is None or not found.origin else Path(found.origin).parent / file
    return path if path is not None and path.is_file() else None


def _load(config: NamedProblemsConfig) -> Iterator[tuple[str, Any]]:
    """Each configuration of the set with its name, through `datasets`."""
    known, path = config.data_set, config.path
    split = known.splits[str(config.split)]
    try:
        if path is None:
            for part in known.configs or (None,):
                rows = load_hub_rows(known.dataset, part, split=split, revision=config.revision)
                yield name_hub_rows(known.dataset, part, split=split), rows
        elif path.is_dir():
            for folder, part in _local_parts(path, known.configs):
                yield str(path), load_hub_rows(folder, part, split=split, revision=None)
        else:
            yield str(path), _load_file(path)
    except (OSError, ValueError) as error:
        hint = "" if path is not None else "; `path` names a copy to read instead"
        if hint and known.is_gated:
            hint += " (the set is gated: log in with an account that has accepted its terms)"
        raise ValueError(f"data set {config.name}: {error}{hint}") from error


def _local_parts(folder: Path, configs: Sequence[str]) -> list[tuple[str, str | None]]:
    """Folders of a copy and configurations: those of its card, else folders so named, else all."""
    import datasets

    declared = datasets.get_dataset_config_names(str(folder)) if configs else []
    found: list[tuple[str, str | None]] = [
        (str(folder), name) if name in declared else (str(folder / name), None)
        for name in configs
        if name in declared or (folder / name).is_dir()
    ]
    if found and len(found) < len(configs):
        missing = [
            name for name in configs if name not in declared and not (folder / name).exists()
        ]
        raise ValueError(f"expected a folder for each part, missing {', '.join(missing)}")
    return found or [(str(folder), None)]


def _load_file(path: Path) -> Any:
    """The rows of a file that `datasets` reads."""
    import datasets

    kinds = {".json": "json", ".csv": "csv"}
    if path.suffix not in kinds or not path.is_file():
        raise ValueError(f"expected a folder, or a .jsonl, .json, .csv or .parquet file, at {path}")
    return datasets.load_dataset(kinds[path.suffix], data_files=str(path), split="train")


def _check_columns(known: DataSet, there: Iterable[str], place: str) -> None:
    names = list(there)
    missing = [column for column in known.columns if column not in names]
    if names and missing:
        raise ValueError(
            f"data set {known.name} ({place}): expected the columns {', '.join(known.columns)}; "
            f"there is no {' and no '.join(missing)} among those found: {', '.join(names)}. The "
            "set has changed, or is another one: read it as `type: hub` or `type: file`, with its "
            "columns named"
        )


def _flatten(known: DataSet, row: Cells) -> dict[str, Any]:
    """A row's question, gold answer and further cells under their names here.

    Raises:
        BadRow: a cell does not hold what it should.
        _Unwanted: the row is not for use.
    """
    for column, value in known.keep.items():
        if row.get(column) != value:
            raise _Unwanted(f"{column} is not {value}")
    texts = [_as_text(_cell(row, path)) for path in known.question]
    question = known.joiner.join(text for text in texts if text)
    gold = None if known.gold is None else _cell(row, known.gold)
    if isinstance(gold, str) and gold.strip() in known.without_answer:
        raise _Unwanted(f"{known.gold} is {gold.strip()!r}")
    if known.options:
        options, gold = _READERS[known.gold_form](question, gold, _options(known, row))
        question += "\n\n" + "\n".join(
            f"{letter}) {text}" for letter, text in zip(ascii_uppercase, options, strict=False)
        )
    elif known.gold_form == "list":
        gold = _join_answers(gold)
    return {
        "question": question,
        "answer": gold,
        "solution": _cell(row, known.solution),
        "level": _cell(row, known.level),
        "subject": _cell(row, known.subject),
        "check": {column: row.get(column) for column in known.check} or None,
    }


def _cell(row: Cells, path: str | None) -> Any:
    """The value at a path such as `reward_model.ground_truth`; None if there is none."""
    if path is None:
        return None
    value: Any = row
    for key in path.split("."):
        if isinstance(value, str) and value.startswith("["):
            value = _listed(value)
        if isinstance(value, Mapping):
            value = value.get(key)
        elif isinstance(value, Sequence) and not isinstance(value, str) and key.isdigit():
            value = value[int(key)] if int(key) < len(value) else None
        else:
            return None
    return value


def _listed(text: str) -> Any:
    """A list that is written as JSON text; None for other text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _as_text(value: Any) -> str:
    """A cell as a part of the question; a list is a line per element."""
    if value is None:
        return ""
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return str(value).strip()


def _join_answers(value: Any) -> str:
    """One or several answers as one text; a list may be written as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            return value
    answers = value if isinstance(value, list) else [value]
    return ", ".join(str(answer).strip() for answer in answers if answer not in (None, ""))


def _options(known: DataSet, row: Cells) -> list[str]:
    """The texts of the options, as they stand in the row."""
    values = [_cell(row, path) for path in known.options]
    found = values[0] if len(values) == 1 and isinstance(values[0], list) else values
    texts = [_as_text(value) for value in found]
    if len(texts) < 2 or len(texts) > len(ascii_uppercase) or "" in texts:
        raise BadRow(f"expected options in {', '.join(known.options)}, got {texts!r}")
    return texts


def _by_letter(question: str, gold: Any, options: list[str]) -> tuple[list[str], str]:
    letter = str(gold).strip().upper()
    if letter not in ascii_uppercase[: len(options)] or len(letter) != 1:
        raise BadRow(f"expected the letter of one of {len(options)} options, got {gold!r}")
    return options, letter


def _by_index(question: str, gold: Any, options: list[str]) -> tuple[list[str], str]:
    if isinstance(gold, bool) or not isinstance(gold, int) or not 0 <= gold < len(options):
        raise BadRow(f"expected the number of one of {len(options)} options, got {gold!r}")
    return options, ascii_uppercase[gold]


def _by_option(question: str, gold: Any, options: list[str]) -> tuple[list[str], str]:
    """The right option among the wrong ones, at a place that the question's text decides."""
    right = _as_text(gold)
    if not right:
        raise BadRow(f"expected the right option, got {gold!r}")
    order = [right, *options]
    random.Random(derive_seed("options", question)).shuffle(order)
    return order, ascii_uppercase[order.index(right)]


_READERS: dict[str, Callable[[str, Any, list[str]], tuple[list[str], str]]] = {
    "letter": _by_letter,
    "index": _by_index,
    "option": _by_option,
}
