"""Where later verdicts on a set's solutions lie in a run."""

import re
from collections.abc import Iterable
from pathlib import PurePath

from schemas.rows import VERDICTS
from storage import Store

REGRADING_STAGE = "regrading"

_NAME = re.compile(r"(?P<graded>.+)-(?P<number>\d{3,})-(?P<grader>[0-9a-f]{16})")


def verdicts_unit_name(graded: str, number: int, grader_id: str) -> str:
    """The name of the unit with a grader's verdicts on the unit `graded`.

    The number counts the gradings of that unit, so that a grader can be gone back to.
    """
    return f"{graded}-{number:03d}-{grader_id}"


def verdict_files(store: Store, run_id: str, graded: Iterable[str]) -> dict[str, list[str]]:
    """Of each file of trajectories, the files of verdicts on it, in the order of their numbers."""
    found: dict[str, list[tuple[int, str]]] = {}
    for path in store.files(VERDICTS.name, run_id=run_id, stage=REGRADING_STAGE):
        if match := _NAME.fullmatch(PurePath(path).stem):
            found.setdefault(match["graded"], []).append((int(match["number"]), path))
    return {
        path: [verdicts for _, verdicts in sorted(found.get(PurePath(path).stem, []))]
        for path in graded
    }


def grader_of(path: str) -> str:
    """The id of the grader that wrote a file of verdicts."""
    return PurePath(path).stem.rpartition("-")[2]
