"""Labels of others as rows of `step_labels`: their method says whose they are, no rollouts."""

from collections.abc import Sequence

from schemas.imports import ImportsJob
from schemas.rows import StepLabel
from schemas.units import Unit
from tasks.imports.grade import imported_id
from tasks.imports.rows import ImportedRow


def collect_labels(
    rows: Sequence[ImportedRow], solutions: Unit, job: ImportsJob
) -> list[StepLabel]:
    """A row per step of every labelled solution, in order; a step without a label has nulls.

    Args:
        rows: the rows of one unit.
        solutions: the unit of their trajectories.
        job: names the labels' method and their source.
    """
    assert job.labels_method is not None
    return [
        StepLabel(
            trajectory_id=imported_id(row, index, solutions, job),
            step_index=step_index,
            method=job.labels_method,
            completer=job.source_name,
            evidence="imported",
            soft=_soft(label) if solution.soft is None else solution.soft[step_index],
            hard=label,
        )
        for row in rows
        for index, solution in enumerate(row.labelled)
        for step_index, label in enumerate(solution.labels)
    ]


def _soft(label: bool | None) -> float | None:
    return None if label is None else float(label)
