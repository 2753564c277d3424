"""Search: every strategy at every budget over a set of problems, decided and measured."""

from collections.abc import Sequence

from flows.documents import retriever_of
from flows.pages.pictures import draw_searches
from flows.pages.searches import publish_searches
from flows.problems import problems_of
from flows.runs.late_flow import flow
from flows.runs.recording import name_run, recorded_flow
from flows.runs.search_units import (
    Plan,
    cell_of,
    decision_units,
    independent_cells,
    metrics_unit,
    reference_cell,
    search_plan,
    tree_units,
)
from flows.runs.shares import say_rows
from flows.runs.units import run_here, run_on_engines, unit_runner
from flows.runs.verifier_labels import follow_labels
from schemas.search import SearchJob
from schemas.units import Receipt, Stage
from storage import Store
from storage.shares import count_rows
from tasks.engines.engine_set import EngineSet
from tasks.evaluation.searches.grid import Cell
from tasks.evaluation.task import evaluate_searches
from tasks.search.decide import check_picks
from tasks.search.task import decide_unit, search_unit

_LIMITS = "limits.max_tokens, limits.max_step_tokens or limits.max_steps"
"""The fields that cut a search's solutions."""


@flow(name="search", flow_run_name=name_run, task_runner=unit_runner())
def search(job: SearchJob, root: str, run_id: str | None = None) -> str:
    """Search, decide and measure; the path of the metrics."""
    check_picks(job)
    job = follow_labels(Store(root), run_id, job)
    part = f"{job.set_name}-{job.config_hash()}"
    with recorded_flow(Stage.SEARCH, job, root, run_id, part=part) as (store, run_id):
        path = problems_of(job, store, run_id)
        retriever = retriever_of(job.retrieval, store, run_id) if job.retrieval else None
        plan = search_plan(job, run_id)
        receipts = run_on_engines(
            search_unit,
            tree_units(plan, run_id, path, store),
            plan,
            store=store,
            engines=EngineSet(separator=job.prompt.step_rule, **job.engines(), retriever=retriever),
            pool=job.pool,
            title=f"search {job.set_name}",
        )
        trees = [receipt.path for receipt in receipts]
        say_rows(f"search {job.set_name}", count_rows(store, trees), limit=_LIMITS)
        decisions = _decide(store, run_id, plan, path, trees)
        measured = _measure(store, run_id, plan, [path, *decisions], receipts)
        metrics = store.read(measured)
        publish_searches(store, run_id, metrics, picture=draw_searches(store, measured, metrics))
        return measured


def _decide(
    store: Store, run_id: str, plan: Plan, problems_file: str, trees: Sequence[str]
) -> list[str]:
    """Decide the searches that are not yet decided; the paths of all decisions."""
    units = decision_units(run_id, problems_file, trees)
    missing = set(store.missing(units))
    run_here(
        lambda unit: decide_unit(store.url, unit, plan[cell_of(unit.path)]),
        [unit for unit in units if unit in missing],
        store=store,
        title="decide",
    )
    return [unit.path for unit in units if store.has(unit)]


def _measure(
    store: Store, run_id: str, plan: Plan, inputs: Sequence[str], receipts: Sequence[Receipt]
) -> str:
    """Measure all decisions; the path of the figures."""
    job = next(iter(plan.values())).job
    against_plain = {cell for cell, task in plan.items() if task.strategy.against_plain}
    known = dict(plan)
    if against_plain:
        known = {**independent_cells(job, run_id, inputs[0], store), **plan}
    reference = reference_cell(known)
    seconds: dict[Cell, float] = {}
    for receipt in receipts:
        task = plan[cell_of(receipt.path)]
        cell = (task.job.label(task.strategy), task.budget)
        seconds[cell] = seconds.get(cell, 0.0) + receipt.seconds
    read = {*against_plain, reference}
    trees = [receipt.path for receipt in receipts if cell_of(receipt.path) in read]
    if reference is not None and reference not in plan:
        units = tree_units({reference: known[reference]}, run_id, inputs[0], store)
        earlier = [unit.path for unit in units]
        trees += earlier
        inputs = [*inputs, *(u.path for u in decision_units(run_id, inputs[0], earlier))]
    unit = metrics_unit(job, run_id, [*inputs, *trees])
    if not store.has(unit):
        of = None if reference is None else known[reference]
        evaluate_searches(
            store.url,
            unit,
            job.evaluation,
            set_name=job.set_name,
            reference=None if of is None else (of.job.label(of.strategy), of.budget),
            seconds=seconds,
            grader=job.grader,
        )
    return unit.path
