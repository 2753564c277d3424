"""Critiques: a critic reads stored solutions, and the actor tries again with what it says."""

from dataclasses import replace

from prefect import flow

from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import problems_path, sampled_files
from flows.runs.units import run_units, unit_runner
from schemas.critiques import CritiquesJob
from schemas.rows import CRITIQUES, TRAJECTORIES
from schemas.unit_names import CritiquesName, RefinementsName, SolutionsGroup, SolutionsName
from schemas.units import Stage, Unit, derive_id
from storage import Store
from tasks.critiques.task import critique_unit, refine_unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool


@flow(name="critiques", flow_run_name=name_run, task_runner=unit_runner())
def critique(job: CritiquesJob, root: str, run_id: str | None = None) -> list[str]:
    """Critique a set's solutions and try again; the paths of the files of critiques."""
    part = f"{job.set_name}-{critiques_digest(job)}-{refinements_digest(job)}"
    with recorded_flow(
        Stage.CRITIQUES, job, root, run_id, part=part, named_by_part=("policy", "critic")
    ) as (store, run_id):
        units = critiques_units(job, store, run_id)
        engines = EngineSet(
            policy=job.policy, critic=job.critic.engine, separator=job.prompt.step_rule
        )
        with open_pool(store.url, engines, job.pool) as pool:
            written = run_units(
                critique_unit,
                units,
                job,
                store=store,
                pool=pool,
                total_rows=0,
                title=f"critique {job.set_name}",
            )
            committed = {receipt.path for receipt in written}
            run_units(
                refine_unit,
                [refinements_unit(job, unit) for unit in units if unit.path in committed],
                job,
                store=store,
                pool=pool,
                total_rows=0,
                title=f"refine {job.set_name}",
            )
        return [receipt.path for receipt in written]


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

    Raises:
        ValueError: the set has no sampled solutions.
    """
    group = None
    if job.round is not None:
        group = SolutionsGroup.of_round(job.set_name, job.round, identify_engine(job.policy))
    names = {path: SolutionsName.of(path) for path in sampled_files(store, run_id, job.set_name)}
    digest = critiques_digest(job)
    return [
        Unit(
            run_id=run_id,
            stage=Stage.CRITIQUES,
            name=str(CritiquesName(name, digest)),
            table=CRITIQUES.name,
            inputs=(path, problems_path(run_id, job.set_name)),
            seed=job.seed,
        )
        for path, name in names.items()
        if group is None or name.group == group
    ]


def refinements_unit(job: CritiquesJob, unit: Unit) -> Unit:
    """The unit of the second attempts that follow a unit of critiques."""
    name = RefinementsName(CritiquesName.parse(unit.name), refinements_digest(job))
    return replace(
        unit,
        stage=Stage.REFINEMENTS,
        name=str(name),
        table=TRAJECTORIES.name,
        inputs=(unit.path, *unit.inputs),
    )
