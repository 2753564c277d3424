"""Critiques: a critic reads stored solutions, and the actor tries again with what it says."""

from collections.abc import Sequence
from dataclasses import replace

from prefect import flow

from flows.pages.critics import publish_critics
from flows.runs.critics import count_chosen, measure_critics
from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import problems_path, sampled_files, verdict_files
from flows.runs.shares import say_critiques, say_rows
from flows.runs.units import run_units, unit_runner
from schemas.critiques import CritiquesJob
from schemas.evaluation import EvaluationConfig
from schemas.rows import CRITIQUES, TRAJECTORIES
from schemas.unit_names import CritiquesName, RefinementsName, SolutionsGroup, SolutionsName
from schemas.units import Receipt, Stage, Unit, derive_id
from storage import Store
from storage.shares import count_critiques, count_rows
from tasks.critiques.task import critique_unit, refine_unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool


@flow(name="critiques", flow_run_name=name_run, task_runner=unit_runner())
def critique(job: CritiquesJob, root: str, run_id: str | None = None) -> list[str]:
    """Critique a set's solutions and try again; the paths of the files of critiques."""
    with recorded_flow(
        Stage.CRITIQUES,
        job,
        root,
        run_id,
        part=critiques_part(job),
        named_by_part=("policy", "critic"),
    ) as (store, run_id):
        units = critiques_units(job, store, run_id)
        num_chosen = count_chosen(store, {u.inputs[0]: u.inputs[2:] for u in units}, job)
        if not num_chosen:
            say(f"critique {job.set_name}: {_nothing_words(job)}; there is nothing to critique")
            return []
        written, attempts = _run(job, store, units, num_chosen)
        paths = [receipt.path for receipt in written]
        say_critiques(f"critique {job.set_name}", count_critiques(store, paths))
        say_rows(
            f"refine {job.set_name}",
            count_rows(store, [receipt.path for receipt in attempts]),
            text="second attempts",
            limit="refining.max_tokens",
        )
        if job.round is None:
            metrics = measure_critics(store, run_id, job.set_name, EvaluationConfig())
            publish_critics(store, run_id, metrics, set_name=job.set_name)
        return paths


def _run(
    job: CritiquesJob, store: Store, units: Sequence[Unit], num_chosen: int
) -> tuple[list[Receipt], list[Receipt]]:
    """The receipts of the critiques and of the second attempts."""
    engines = EngineSet(policy=job.policy, critic=job.critic.engine, separator=job.prompt.step_rule)
    num_critiques = num_chosen * job.critiquing.num_critiques
    with open_pool(store.url, engines, job.pool) as pool:
        written = run_units(
            critique_unit,
            units,
            job,
            store=store,
            pool=pool,
            total_rows=num_critiques,
            title=f"critique {job.set_name}",
        )
        committed = {receipt.path for receipt in written}
        per_solution = job.refining.num_retries
        attempts = run_units(
            refine_unit,
            [refinements_unit(job, unit) for unit in units if unit.path in committed],
            job,
            store=store,
            pool=pool,
            total_rows=num_critiques * job.refining.num_refinements + num_chosen * per_solution,
            title=f"refine {job.set_name}",
        )
    return written, attempts


def critiques_part(job: CritiquesJob) -> str:
    """The part of a run that a job is: a run may hold any number of critics of a set."""
    number = "" if job.round is None else f".r{job.round}"
    return f"{job.set_name}{number}-{critiques_digest(job)}-{refinements_digest(job)}"


def _nothing_words(job: CritiquesJob) -> str:
    chosen = "" if job.which == "all" else f" {job.which}"
    number = "" if job.round is None else f" of round {job.round}"
    return f"the set {job.set_name!r} has no finished{chosen} solutions{number}"


def critiques_digest(job: CritiquesJob) -> str:
    """Sixteen digits that change with everything that decides a job's critiques."""
    model = job.critic.engine or job.policy
    return derive_id(
        identify_engine(model),
        job.critic.with_fields(engine=None).config_hash(),
        job.critic_prompt.config_hash(),
        job.format.config_hash(),
        job.critiquing.config_hash(),
        job.which,
        job.max_per_problem,
        job.seed,
    )


def refinements_digest(job: CritiquesJob) -> str:
    """Sixteen digits that change with everything that decides the second attempts of a critique."""
    return derive_id(
        identify_engine(job.policy),
        job.prompt.config_hash(),
        job.format.config_hash(),
        job.grader.config_hash(),
        job.refining.config_hash(),
        job.seed,
    )


def critiques_units(job: CritiquesJob, store: Store, run_id: str) -> list[Unit]:
    """A unit per file of solutions.

    Where later verdicts decide what is critiqued, they are inputs, and other ones make other units.

    Raises:
        ValueError: the set has no sampled solutions.
    """
    group = None
    if job.round is not None:
        group = SolutionsGroup.of_round(job.set_name, job.round, identify_engine(job.policy))
    sampled = sampled_files(store, run_id, job.set_name)
    names = {path: SolutionsName.of(path) for path in sampled}
    graded = verdict_files(store, run_id, sampled) if job.reads_grades else {}
    digest = critiques_digest(job)
    units = []
    for path, name in names.items():
        if group is not None and name.group != group:
            continue
        verdicts = graded.get(path, [])
        units.append(
            Unit(
                run_id=run_id,
                stage=Stage.CRITIQUES,
                name=str(CritiquesName(name, derive_id(digest, *verdicts) if verdicts else digest)),
                table=CRITIQUES.name,
                inputs=(path, problems_path(run_id, job.set_name), *verdicts),
                seed=job.seed,
            )
        )
    return units


def refinements_unit(job: CritiquesJob, unit: Unit) -> Unit:
    """The unit of the second attempts that follow a unit of critiques."""
    solutions, problems, *_ = unit.inputs
    name = RefinementsName(CritiquesName.parse(unit.name), refinements_digest(job))
    return replace(
        unit,
        stage=Stage.REFINEMENTS,
        name=str(name),
        table=TRAJECTORIES.name,
        inputs=(unit.path, solutions, problems),
    )
