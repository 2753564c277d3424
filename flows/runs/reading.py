"""Units in which a model reads a run's sampled solutions: one per file of them."""

from flows.runs.sets import problems_path, sampled_files
from schemas.tables import TableSpec
from schemas.unit_names import ScoresName, SolutionsGroup, SolutionsName
from schemas.units import Stage, Unit
from storage import Store


def reading_units(
    store: Store,
    run_id: str,
    *,
    set_name: str,
    group: SolutionsGroup | None,
    reader: str,
    table: TableSpec,
    stage: str = Stage.SCORING,
) -> list[Unit]:
    """The units of one reader, in order.

    Args:
        store: the store with the solutions.
        run_id: the run that made the solutions.
        set_name: the set of problems.
        group: only the solutions of this group; None for all of the set.
        reader: the id of the model that reads, which is part of the names.
        table: the table made from each file of solutions. The inputs of a unit are that file and
            the file of the problems.
        stage: the folder of the units; training sets are built from the scores of `scoring`.

    Raises:
        ValueError: the set has no sampled solutions.
    """
    names = {path: SolutionsName.of(path) for path in sampled_files(store, run_id, set_name)}
    return [
        Unit(
            run_id=run_id,
            stage=stage,
            name=str(ScoresName.by(reader, name)),
            table=table.name,
            inputs=(path, problems_path(run_id, set_name)),
        )
        for path, name in names.items()
        if group is None or name.group == group
    ]
