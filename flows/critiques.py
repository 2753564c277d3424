"""Critiques: a critic reads stored solutions, and the actor tries again with what it says."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from flows.pages.critics import publish_critics
from flows.runs.critics import count_chosen, files_to_critique, measure_critics
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import (
    label_files_for,
    problems_path,
    sampled_files,
    verdict_files,
)
from flows.runs.shares import say_critiques, say_rows
from flows.runs.truth import known_kinds
from flows.runs.units import run_units, unit_runner
from schemas.critiques import (
    CheckerCriticConfig,
    CritiquesJob,
    LabelsCriticConfig,
    ModelCriticConfig,
)
from schemas.evaluation import EvaluationConfig
from schemas.rows import CRITIQUES, TRAJECTORIES, VERDICTS
from schemas.unit_names import (
    CritiquesName,
    ErrorPathsName,
    LabelsName,
    RefinementsName,
    SolutionsGroup,
    SolutionsName,
)
from schemas.units import Receipt, Stage, Unit, UnitPath, derive_id
from storage import Store
from storage.labels import label_methods
from storage.shares import count_critiques, count_rows
from tasks.critiques.critic import inputs_of
from tasks.critiques.task import critique_unit, refine_unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool


@flow(name="critiques", flow_run_name=name_run, task_runner=unit_runner())
def critique(job: CritiquesJob, root: str, run_id: str) -> list[str]:
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
        graded = {unit.inputs[0]: inputs_of(unit, VERDICTS.name) for unit in units}
        num_chosen = count_chosen(store, graded, job)
        if not num_chosen:
            say(f"critique {job.set_name}: {_nothing_words(job)}; there is nothing to critique")
            return []
        written, attempts = _run(job, store, units, num_chosen)
        paths = [receipt.path for receipt in written]
        if isinstance(job.critic, LabelsCriticConfig):
            open_ones = num_chosen - sum(receipt.num_rows for receipt in written)
            say(
                f"critique {job.set_name}: {open_ones:,} of {num_chosen:,} solutions are left out, "
                "since their labels do not say which step is the first wrong one"
            )
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
    num_critiques = num_chosen * (job.critiquing.num_critiques if job.critic.has_model else 1)
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
    critic = job.critic
    parts: tuple[object, ...] = (critic.config_hash(), job.format.config_hash())
    if isinstance(critic, ModelCriticConfig):
        parts = (
            identify_engine(critic.engine or job.policy),
            critic.with_fields(engine=None).config_hash(),
            job.critic_prompt.config_hash(),
            job.format.config_hash(),
            job.critiquing.config_hash(),
        )
    of = () if job.of == "samples" else (job.of,)
    return derive_id(*parts, job.which, job.max_per_problem, job.seed, *of)


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

    Where later verdicts decide what is critiqued, or step labels what is said, they are inputs, and
    other ones make other units.

    Raises:
        ValueError: the set has no such solutions, or not what the critic needs.
    """
    _check_critic(job, store, run_id)
    group = None
    if job.round is not None:
        group = SolutionsGroup.of_round(job.set_name, job.round, identify_engine(job.policy))
    names = files_to_critique(store, run_id, job)
    further = _further_inputs(job, store, run_id, names)
    digest = critiques_digest(job)
    units = []
    for path, name in names.items():
        if group is not None and name.group != group:
            continue
        more = further[path]
        units.append(
            Unit(
                run_id=run_id,
                stage=Stage.CRITIQUES,
                name=str(CritiquesName(name, derive_id(digest, *more) if more else digest)),
                table=CRITIQUES.name,
                inputs=(path, problems_path(run_id, job.set_name), *more),
                seed=job.seed,
            )
        )
    return units


def _check_critic(job: CritiquesJob, store: Store, run_id: str) -> None:
    """Refuse a critic that cannot judge the run's solutions, before anything is written.

    Raises:
        ValueError: says what it needs.
    """
    if isinstance(job.critic, CheckerCriticConfig):
        if known_kinds(store, problems_path(run_id, job.set_name)) is None:
            raise ValueError(
                f"critic: expected problems of the built-in world, which alone has an exact "
                f"checker, got others among the problems of {job.set_name!r} in run {run_id}"
            )
    elif isinstance(job.critic, LabelsCriticConfig):
        methods = label_methods(store, run_id)
        if job.critic.method not in methods:
            raise ValueError(
                f"critic.method: expected step labels {job.critic.method!r} in run {run_id}, "
                f"got {', '.join(methods) or 'no step labels'}"
            )


def _further_inputs(
    job: CritiquesJob, store: Store, run_id: str, paths: Collection[str]
) -> dict[str, list[str]]:
    """By file of solutions what else decides its critiques."""
    further: dict[str, list[str]] = {path: [] for path in paths}
    if job.reads_grades:
        further |= verdict_files(store, run_id, paths)
    if isinstance(job.critic, LabelsCriticConfig):
        there = label_files_for(store, run_id, job.set_name, job.critic.method)
        labels = {path: LabelsName.of(path) for path in there}
        for path, found in further.items():
            unit = UnitPath.parse(path).unit
            found += [each for each, name in labels.items() if str(name.solutions) == unit]
    if job.of == "error_paths" and job.critic.told == "solution":
        sampled = {str(SolutionsName.of(p)): p for p in sampled_files(store, run_id, job.set_name)}
        graded = verdict_files(store, run_id, sampled.values())
        for path, found in further.items():
            of = sampled[str(ErrorPathsName.of(path).solutions)]
            found += [of, *graded[of]]
    return further


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
