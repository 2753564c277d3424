"""Problems as rows of the store, from whichever place a config names.

A row that cannot be used (no question, no answer) is left out and told about; the others go on.
Ids are a hash of source, row number and text: stable across machines and runs, and two rows with
equal text stay two problems.
"""

import json
import random
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from schemas.problems import (
    ColumnsConfig,
    FileProblemsConfig,
    HubProblemsConfig,
    ProblemsConfig,
    WorldProblemsConfig,
)
from schemas.rows import Problem
from schemas.units import derive_id, derive_seed
from tasks.world.problems import WorldProblem, iterate_problems
from tasks.world.students import write_solution

WORLD_SOURCE = "world"


class _BadRow(Exception):
    """Why a row cannot be used."""


def load_problems(config: ProblemsConfig) -> tuple[list[Problem], list[str]]:
    """Make or read the problems a config names.

    Returns:
        The problems in order, and notes: a line per row left out, with its number from 0, and per
        question that is asked twice.

    Raises:
        ValueError: the file, set or a column is not there, or no row can be used.
    """
    match config:
        case WorldProblemsConfig():
            problems, notes = _make_world_problems(config), []
        case HubProblemsConfig():
            rows = _read_hub(config)
            problems, notes = _to_problems(rows, config, config.dataset, config.split)
        case FileProblemsConfig():
            rows = _read_file(config)
            source = config.source or config.path.stem
            problems, notes = _to_problems(rows, config, source, config.split)
    if not problems:
        what = f"none of its {len(notes)} rows can be used; {notes[0]}" if notes else "it is empty"
        raise ValueError(f"expected at least one problem in {_name(config)}: {what}")
    return problems, notes + _note_duplicates(problems)


def _make_world_problems(config: WorldProblemsConfig) -> list[Problem]:
    """The first different problems of the world's stream."""
    stream = iterate_problems(config.seed, config.split, config.levels)
    different: dict[str, WorldProblem] = {}
    while len(different) < config.num_problems:
        problem = next(stream)
        different.setdefault(problem.question, problem)
    return [_to_row(problem, row, config.split) for row, problem in enumerate(different.values())]


def _to_row(problem: WorldProblem, row: int, split: str) -> Problem:
    question, answer = problem.question, str(problem.answer)
    rng = random.Random(derive_seed("solution", question))
    return Problem(
        problem_id=derive_id(WORLD_SOURCE, row, question, answer),
        source=WORLD_SOURCE,
        split=split,
        question=question,
        answer=answer,
        solution=write_solution(problem, rng, flawless=True),
        level=problem.level,
        subject=problem.traps,
    )


def _read_hub(config: HubProblemsConfig) -> list[Any]:
    from datasets import load_dataset

    try:
        rows = load_dataset(
            config.dataset, config.name, split=config.split, revision=config.revision
        )
    except (FileNotFoundError, ValueError) as error:
        raise ValueError(f"{_name(config)} cannot be loaded: {error}") from error
    return list(islice(rows, config.limit))


def _read_file(config: FileProblemsConfig) -> list[Any]:
    """The rows of a file; a line that is not JSON is kept as a `_BadRow`."""
    path = config.path
    if not path.is_file():
        raise ValueError(f"expected a file of problems at {path}, there is none")
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return list(islice(pq.read_table(path).to_pylist(), config.limit))
        except pa.ArrowInvalid as error:
            raise ValueError(f"{path} is not a Parquet file: {error}") from error
    if path.suffix not in (".jsonl", ".json"):
        raise ValueError(f"expected a .jsonl, .json or .parquet file, got {path}")
    with path.open(encoding="utf-8") as lines:
        visible = (line for line in lines if line.strip())
        return [_parse_line(line) for line in islice(visible, config.limit)]


def _parse_line(line: str) -> Any:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        return _BadRow(f"not JSON: {error}")
    return row if isinstance(row, dict) else _BadRow(f"expected a JSON object, got {line[:60]!r}")


def _to_problems(
    rows: Sequence[Any], config: ColumnsConfig, source: str, split: str
) -> tuple[list[Problem], list[str]]:
    """The usable rows as problems, and a note per row left out."""
    _check_columns(rows, config, source)
    problems, notes = [], []
    for index, row in enumerate(rows):
        try:
            problems.append(_to_problem(row, index, config, source, split))
        except _BadRow as error:
            notes.append(f"row {index} is left out: {error}")
    return problems, notes


def _check_columns(rows: Sequence[Any], config: ColumnsConfig, source: str) -> None:
    """Refuse a column that no row has: a misspelt name, not a bad row."""
    there = list(dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row))
    for field in ("question", "answer", "solution", "level", "subject"):
        wanted = getattr(config, f"{field}_column")
        if there and wanted is not None and wanted not in there:
            raise ValueError(
                f"{source}: {field}_column is {wanted!r}, but the columns are {', '.join(there)}"
            )


def _to_problem(row: Any, index: int, config: ColumnsConfig, source: str, split: str) -> Problem:
    if isinstance(row, _BadRow):
        raise row
    question = _read_text(row, config.question_column)
    gold = _read_text(row, config.answer_column)
    answer = gold if config.gold_format == "plain" else _answer_of_solution(gold)
    solution = row.get(config.solution_column) if config.solution_column else None
    if solution is None and config.gold_format == "solution":
        solution = gold
    subject = row.get(config.subject_column) if config.subject_column else None
    return Problem(
        problem_id=derive_id(source, index, question, answer),
        source=source,
        split=split,
        question=question,
        answer=answer,
        solution=None if solution is None else str(solution),
        level=_read_level(row.get(config.level_column)) if config.level_column else None,
        subject=None if subject is None else str(subject),
    )


def _read_text(row: dict[str, Any], column: str) -> str:
    """A required cell as text without white space around it."""
    value = row.get(column)
    if value is None or not str(value).strip():
        raise _BadRow(f"expected text in column {column!r}, got {value!r}")
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _BadRow(f"expected text or a number in column {column!r}, got {value!r}")
    return str(value).strip()


def _read_level(value: Any) -> int | None:
    """The first number in a level such as "Level 2"; None where there is none."""
    match = re.search(r"\d+", str(value))
    return int(match[0]) if match else None


def _answer_of_solution(solution: str) -> str:
    """The gold answer behind the last `####`, else in the last LaTeX box."""
    _, mark, answer = solution.rpartition("####")
    if not mark:
        answer = _last_boxed(solution)
    if not answer.strip():
        raise _BadRow(f"expected a solution with '####' or '\\boxed{{', got ...{solution[-60:]!r}")
    return answer.strip()


def _last_boxed(text: str) -> str:
    """What stands in the last LaTeX box, braces balanced; empty where there is none."""
    _, mark, rest = text.rpartition("\\boxed{")
    depth = 1
    for index, character in enumerate(rest if mark else ""):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth == 0:
            return rest[:index]
    return ""


def _note_duplicates(problems: Iterable[Problem]) -> list[str]:
    first: dict[str, str] = {}
    notes = []
    for problem in problems:
        earlier = first.setdefault(problem.question, problem.problem_id)
        if earlier != problem.problem_id:
            notes.append(
                f"problem {problem.problem_id} asks the same as {earlier}; both are kept: "
                f"{problem.question[:60]!r}"
            )
    return notes


def _name(config: ProblemsConfig) -> str:
    match config:
        case WorldProblemsConfig():
            return "the built-in world"
        case HubProblemsConfig():
            name = f" ({config.name})" if config.name else ""
            return f"dataset {config.dataset}{name}, split {config.split}"
        case FileProblemsConfig():
            return str(config.path)
