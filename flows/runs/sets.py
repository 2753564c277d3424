"""Where the files of a set of problems lie in a run. A set's name holds no dot; a unit's does."""

import re
from collections.abc import Collection
from pathlib import PurePath

from schemas.rows import PROBLEMS, STEP_LABELS, TRAJECTORIES
from schemas.units import derive_id
from storage import Store

PROBLEMS_STAGE = "problems"
SAMPLING_STAGE = "sampling"
IMPORTS_STAGE = "imports"
STEP_LABELS_STAGE = "step_labels"
SEARCH_STAGE = "search"

_ROUND = re.compile(r"r(?P<number>\d+)-(?P<policy>[0-9a-f]{8})")


def problems_path(run_id: str, set_name: str) -> str:
    """The file of a set's problems."""
    return f"{PROBLEMS.name}/run_id={run_id}/stage={PROBLEMS_STAGE}/{set_name}.parquet"


def unit_name(group: str, index: int) -> str:
    """The name of a unit of a set, or of one policy's solutions of it in a round of a loop."""
    return f"{group}.{index:05d}"


def round_group(set_name: str, number: int, policy: str) -> str:
    """What begins the names of the units that a policy sampled in a round of a loop."""
    return f"{set_name}.r{number}-{derive_id(policy)[:8]}"


def is_of_round(
    unit: str, rounds: Collection[int], policies: Collection[str] | None = None
) -> bool:
    """Whether a unit's name is that of one of these rounds, sampled by one of these policies."""
    found = _ROUND.fullmatch(unit.split(".")[1]) if "." in unit else None
    if found is None or int(found["number"]) not in rounds:
        return False
    return policies is None or found["policy"] in {derive_id(each)[:8] for each in policies}


def imported_unit_name(set_name: str, index: int) -> str:
    """The name of a unit of a set's imported solutions, which no unit of sampled ones has."""
    return f"{set_name}.i{index:05d}"


def rollouts_unit_name(unit: str, index: int) -> str:
    """The name of the unit with the rollouts from a range of a unit's solutions."""
    return f"{unit}-{index:03d}"


def rolled_out(unit: str) -> str:
    """The name of the unit whose solutions the rollouts of a unit continue."""
    return unit.rpartition("-")[0]


def scores_unit_name(unit: str, verifier: str) -> str:
    """The name of the unit with one verifier's scores of a unit's solutions."""
    return f"{unit}-{derive_id(verifier)}"


def sampled_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's solutions: those sampled in this run, then imported ones.

    Raises:
        ValueError: there are none.
    """
    found = [
        path
        for stage in (SAMPLING_STAGE, IMPORTS_STAGE)
        for path in store.files(
            TRAJECTORIES.name, run_id=run_id, stage=stage, prefix=f"{set_name}."
        )
    ]
    if not found:
        sets = _sampled_sets(store, run_id)
        others = (
            f"it has {', '.join(sets)}" if sets else "it has none of any; `run_state` has the runs"
        )
        raise ValueError(f"run {run_id} has no sampled solutions of the set {set_name!r}: {others}")
    return found


def _sampled_sets(store: Store, run_id: str) -> list[str]:
    paths = (
        PurePath(path)
        for stage in (SAMPLING_STAGE, IMPORTS_STAGE)
        for path in store.files(TRAJECTORIES.name, run_id=run_id, stage=stage)
    )
    return sorted({path.name.partition(".")[0] for path in paths})


def label_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's step labels; none where it was not labelled."""
    return store.files(
        STEP_LABELS.name, run_id=run_id, stage=STEP_LABELS_STAGE, prefix=f"{set_name}."
    )
