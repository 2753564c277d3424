"""Whole solutions from rows that continue one another: a branch's own steps after its parent's."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from schemas.rows import Step, Trajectory


def whole_steps(row: Trajectory, rows: Mapping[str, Trajectory]) -> tuple[Step, ...]:
    """The steps of a solution from its beginning, including those of the rows it continues.

    Args:
        row: a solution, a branch of a search tree, or a rollout.
        rows: by id, including all rows that it continues.

    Raises:
        ValueError: a row that it continues is missing, or has too few steps.
    """
    if row.parent_id is None or not row.branch_step:
        return row.steps
    if (parent := rows.get(row.parent_id)) is None:
        raise ValueError(
            f"trajectory {row.trajectory_id}: expected {row.parent_id}, which it continues, among "
            f"the {len(rows)} rows given"
        )
    before = whole_steps(parent, rows)
    if len(before) < row.branch_step:
        raise ValueError(
            f"trajectory {row.trajectory_id}: expected {row.parent_id} to have at least "
            f"{row.branch_step} steps, got {len(before)}"
        )
    return (*before[: row.branch_step], *row.steps)


def whole_rows(wanted: Collection[str], rows: Sequence[Trajectory]) -> list[Trajectory]:
    """The rows with these ids, in order, each with all steps of its whole solution.

    Args:
        wanted: ids of rows; others are ignored.
        rows: solutions and what continues them.

    Raises:
        ValueError: as `whole_steps`.
    """
    by_id = {row.trajectory_id: row for row in rows}
    return [
        replace(row, steps=whole_steps(row, by_id)) for row in rows if row.trajectory_id in wanted
    ]
