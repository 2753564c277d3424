"""The units of a search: trees of some problems, their decisions, and the figures over all.

A cell is a strategy at a budget. Its digest covers everything that decides its rows, so a later job
of the same run with other budgets or strategies finds the cells that exist.
"""

from collections.abc import Mapping, Sequence

from flows.runs.units import split_rows
from schemas.rows import DECISIONS, METRICS, TRAJECTORIES
from schemas.search import SearchJob
from schemas.search.strategies import STRATEGY_CONFIGS
from schemas.unit_names import DigestName, SearchCell, TreesName
from schemas.units import Stage, Unit, UnitPath
from storage import Store
from tasks.search.search import SearchTask

Plan = Mapping[str, SearchTask]
"""Tasks by cell."""


def search_plan(job: SearchJob, run_id: str) -> dict[str, SearchTask]:
    """Every strategy at every budget."""
    plan = {}
    for budget in job.budgets:
        for strategy in job.strategies:
            alone = job.with_fields(
                strategies=(strategy,),
                budgets=(budget,),
                evaluation={},
                roles=job.roles_of(strategy),
            )
            cell = str(SearchCell(job.set_name, strategy.type, budget, alone.config_hash()))
            scope = f"{run_id}/{Stage.SEARCH}/{cell}"
            plan[cell] = SearchTask(job=job, strategy=strategy, budget=budget, scope=scope)
    return plan


def cell_of(path: str) -> str:
    """The cell of a unit's file."""
    return str(TreesName.of(path).cell)


def reference_cell(plan: Plan) -> str | None:
    """The cell that difficulty is read from: independent samples, scored if possible, largest N."""
    cells = [cell for cell, task in plan.items() if task.strategy.is_independent]

    def order(cell: str) -> tuple[bool, int]:
        return plan[cell].strategy.needs_verifier, plan[cell].budget

    return max(cells, key=order, default=None)


def independent_cells(
    job: SearchJob, run_id: str, problems: str, store: Store
) -> dict[str, SearchTask]:
    """The finished searches of a run that drew independent solutions as this job would.

    Args:
        job: says which problems, policy, prompt and limits.
        run_id: the run.
        problems: its file of problems.
        store: where the run lies.
    """
    paths = store.files(
        TRAJECTORIES.name, run_id=run_id, stage=Stage.SEARCH, prefix=f"{job.set_name}."
    )
    found: dict[str, SearchTask] = {}
    for cell in {TreesName.of(path).cell for path in paths}:
        config = STRATEGY_CONFIGS.get(cell.strategy)
        if config is None or not config.is_independent:
            continue
        for verifier in dict.fromkeys((job.verifier, None)):
            if verifier is None and "verifier" in config.roles:
                continue
            alone = job.with_fields(
                strategies=({"type": cell.strategy},),
                budgets=(cell.budget,),
                verifier=verifier,
                roles={},
            )
            plan = search_plan(alone, run_id)
            units = tree_units(plan, run_id, problems, store)
            units += decision_units(run_id, problems, [unit.path for unit in units])
            if str(cell) in plan and not store.missing(units):
                found |= plan
    return found


def tree_units(plan: Plan, run_id: str, problems: str, store: Store) -> list[Unit]:
    """Ranges of problems of about `candidates_per_unit` candidates each, cell by cell."""
    num_problems = store.num_rows(problems)
    units = []
    for cell, task in plan.items():
        size = max(1, task.job.candidates_per_unit // task.budget)
        units += [
            Unit(
                run_id=run_id,
                stage=Stage.SEARCH,
                name=str(TreesName(SearchCell.parse(cell), index)),
                table=TRAJECTORIES.name,
                inputs=(problems,),
                rows=rows,
                seed=task.job.seed,
            )
            for index, rows in enumerate(split_rows(num_problems, size))
        ]
    return units


def decision_units(run_id: str, problems: str, trees: Sequence[str]) -> list[Unit]:
    """A unit of decisions for each file of trees."""
    return [
        Unit(
            run_id=run_id,
            stage=Stage.SEARCH,
            name=UnitPath.parse(tree).unit,
            table=DECISIONS.name,
            inputs=(tree, problems),
        )
        for tree in trees
    ]


def metrics_unit(job: SearchJob, run_id: str, inputs: Sequence[str]) -> Unit:
    """The unit of the figures; other input files make another unit."""
    name = DigestName.derive(job.set_name, job.evaluation.config_hash(), *inputs)
    return Unit(
        run_id=run_id,
        stage=Stage.SEARCH,
        name=str(name),
        table=METRICS.name,
        inputs=tuple(inputs),
    )
