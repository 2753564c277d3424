"""Problems as rows of the store, from the source that a config names.

A row that cannot be used (no question, no answer) is left out and reported; the others are read.
Ids are a hash of source, row number and text: stable across machines and runs, and two rows with
equal text stay two problems.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from schemas.problems import (
    ColumnsConfig,
    FileProblemsConfig,
    HubProblemsConfig,
    NamedProblemsConfig,
    ProblemsConfig,
    TheoremProblemsConfig,
    WorldProblemsConfig,
)
from schemas.rows import Problem
from schemas.units import derive_id, derive_seed
from tasks.problems.files import check_columns, problem_columns, to_problem
from tasks.problems.hub import load_hub_rows, name_hub_rows
from tasks.problems.named import read_named
from tasks.problems.row_files import BadRow, iterate_rows
from tasks.problems.theorems import theorem_problems
from tasks.world.diaries import SOURCE as DIARIES_SOURCE
from tasks.world.diaries import assign_weeks, diary_question
from tasks.world.problems import WorldProblem, iterate_problems
from tasks.world.students import write_solution

WORLD_SOURCE = "world"


def load_problems(config: ProblemsConfig) -> tuple[list[Problem], list[str]]:
    """Make or read the problems a config names.

    Returns:
        The problems in order, and notes: a line per row left out, with its number from 0, and per
        question that occurs twice.

    Raises:
        ValueError: the file, set or a column does not exist, or no row can be used.
    """
    match config:
        case WorldProblemsConfig():
            problems, notes = _make_world_problems(config), []
        case HubProblemsConfig():
            rows = _read_hub(config)
            problems, notes = _to_problems(rows, config, config.dataset, config.split)
        case FileProblemsConfig():
            rows = list(iterate_rows(config.path, config.limit))
            source = config.source or config.path.stem
            problems, notes = _to_problems(rows, config, source, config.split)
        case NamedProblemsConfig():
            problems, notes = read_named(config)
        case TheoremProblemsConfig():
            problems, notes = theorem_problems(config.limit, config.split), []
    if not problems:
        what = f"none of its {len(notes)} rows can be used; {notes[0]}" if notes else "it is empty"
        raise ValueError(f"expected at least one problem in {_name(config)}: {what}")
    return problems, notes + _note_duplicates(problems)


def _make_world_problems(config: WorldProblemsConfig) -> list[Problem]:
    """The first different problems of the world's stream, as rows."""
    stories = world_stories(config)
    if config.diaries:
        weeks = assign_weeks(stories)
        return [
            _to_diary_row(story, row, config.split, week)
            for row, (story, week) in enumerate(zip(stories, weeks, strict=True))
        ]
    return [_to_row(problem, row, config.split) for row, problem in enumerate(stories)]


def world_stories(config: WorldProblemsConfig) -> list[WorldProblem]:
    """The first different problems of the world's stream."""
    stream = iterate_problems(config.seed, config.split, config.levels)
    different: dict[str, WorldProblem] = {}
    while len(different) < config.num_problems:
        problem = next(stream)
        different.setdefault(problem.question, problem)
    return list(different.values())


def _to_diary_row(story: WorldProblem, row: int, split: str, week: int) -> Problem:
    question = diary_question(story, week)
    return replace(
        _to_row(story, row, split),
        problem_id=derive_id(DIARIES_SOURCE, row, question, story.question),
        source=DIARIES_SOURCE,
        question=question,
    )


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
    rows = load_hub_rows(config.dataset, config.name, split=config.split, revision=config.revision)
    return list(islice(rows, config.limit))


def _to_problems(
    rows: Sequence[Any], config: ColumnsConfig, source: str, split: str
) -> tuple[list[Problem], list[str]]:
    """The usable rows as problems, and a note per row left out."""
    there = dict.fromkeys(name for row in rows if isinstance(row, dict) for name in row)
    check_columns(there, problem_columns(config), source)
    problems, notes = [], []
    for index, row in enumerate(rows):
        try:
            problems.append(to_problem(row, index, config, source=source, split=split))
        except BadRow as error:
            notes.append(f"row {index} is left out: {error}")
    return problems, notes


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
            return name_hub_rows(config.dataset, config.name, split=config.split)
        case FileProblemsConfig():
            return str(config.path)
        case NamedProblemsConfig():
            return f"data set {config.name}, split {config.split}"
        case TheoremProblemsConfig():
            return "the shipped theorems"
