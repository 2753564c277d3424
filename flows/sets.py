"""Where the files of a set of problems lie in a run. A set's name holds no dot; a unit's does."""

from schemas.rows import PROBLEMS, STEP_LABELS, TRAJECTORIES
from storage import Store

PROBLEMS_STAGE = "problems"
SAMPLING_STAGE = "sampling"
STEP_LABELS_STAGE = "step_labels"


def problems_path(run_id: str, set_name: str) -> str:
    """The file of a set's problems."""
    return f"{PROBLEMS.name}/run_id={run_id}/stage={PROBLEMS_STAGE}/{set_name}.parquet"


def unit_name(set_name: str, index: int) -> str:
    """The name of a set's unit."""
    return f"{set_name}.{index:05d}"


def sampled_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's sampled solutions.

    Raises:
        ValueError: there are none.
    """
    found = store.files(
        TRAJECTORIES.name, run_id=run_id, stage=SAMPLING_STAGE, prefix=f"{set_name}."
    )
    if not found:
        raise ValueError(f"run {run_id} has no sampled solutions of the set {set_name!r}")
    return found


def label_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of a set's step labels; none where it was not labelled."""
    return store.files(
        STEP_LABELS.name, run_id=run_id, stage=STEP_LABELS_STAGE, prefix=f"{set_name}."
    )
