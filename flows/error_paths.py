"""Error paths: solutions of a set's problems that are made wrong on purpose, in several ways."""

from collections.abc import Mapping, Sequence

from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import problems_path, sampled_files, verdict_files
from flows.runs.shares import say_rows, share_words
from flows.runs.units import run_units, unit_runner
from schemas.error_paths import ErrorPath, ErrorPathsJob, InjectedConfig, ModelErrorsConfig
from schemas.rows import TRAJECTORIES
from schemas.unit_names import ErrorPathsName, SolutionsGroup, SolutionsName
from schemas.units import Receipt, Stage, Unit, derive_id
from storage import Store
from storage.shares import count_rows
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import open_pool
from tasks.error_paths.task import error_paths_unit
from tasks.error_paths.templates import TemplatePool
from tasks.graders.verdicts import apply_verdicts


@flow(name="error_paths", flow_run_name=name_run, task_runner=unit_runner())
def make_error_paths(job: ErrorPathsJob, root: str, run_id: str) -> list[str]:
    """Make wrong solutions from a set's stored ones; the paths of their files."""
    digests = [error_paths_digest(job, way) for way in job.paths]
    part = f"{job.set_name}-{derive_id(*digests, job.round)}"
    with recorded_flow(
        Stage.ERROR_PATHS, job, root, run_id, part=part, named_by_part=("policy", "paths")
    ) as (store, run_id):
        solutions = _solutions(job, store, run_id)
        pool_of_templates = count_templates(job, store, solutions)
        if any(way.needs_template for way in job.paths):
            _say_templates(job, pool_of_templates)
        engines = EngineSet(
            policy=job.policy, annotator=job.annotator, separator=job.prompt.step_rule
        )
        written: list[Receipt] = []
        with open_pool(store.url, engines, job.pool) as pool:
            for way in job.paths:
                made = run_units(
                    error_paths_unit,
                    error_paths_units(job, way, solutions, run_id),
                    job.model_copy(update={"paths": (way,)}),
                    store=store,
                    pool=pool,
                    total_rows=0,
                    title=f"{way.type} {job.set_name}",
                )
                _say_paths(job, way, store, made, pool_of_templates)
                written += made
        return [receipt.path for receipt in written]


def error_paths_digest(job: ErrorPathsJob, way: ErrorPath) -> str:
    """Sixteen digits that change with everything that decides the paths of one way."""
    return derive_id(
        identify_engine(job.policy),
        job.prompt.config_hash(),
        job.grader.config_hash(),
        *_identify_way(way),
        *((job.templates, job.templates_per_problem) if way.needs_template else ()),
        job.seed,
    )


def error_paths_units(
    job: ErrorPathsJob, way: ErrorPath, solutions: Mapping[str, list[str]], run_id: str
) -> list[Unit]:
    """A unit of one way per file of solutions.

    Args:
        job: what is made.
        way: how.
        solutions: by file of solutions, the later verdicts on them, which may decide the templates.
        run_id: the run.
    """
    digest = error_paths_digest(job, way)
    units = []
    for path, verdicts in solutions.items():
        more = verdicts if way.needs_template else []
        name = ErrorPathsName(
            SolutionsName.of(path), way.type, derive_id(digest, *more) if more else digest
        )
        units.append(
            Unit(
                run_id=run_id,
                stage=Stage.ERROR_PATHS,
                name=str(name),
                table=TRAJECTORIES.name,
                inputs=(path, problems_path(run_id, job.set_name), *more),
                seed=job.seed,
            )
        )
    return units


def count_templates(
    job: ErrorPathsJob, store: Store, solutions: Mapping[str, list[str]]
) -> TemplatePool:
    """The number of templates of all files, and what they lack."""
    counts = TemplatePool()
    for path, verdicts in solutions.items():
        later = [verdict for each in verdicts for verdict in store.read(each)]
        counts += TemplatePool.of(apply_verdicts(store.read(path), later), job).counts
    return counts


def _solutions(job: ErrorPathsJob, store: Store, run_id: str) -> dict[str, list[str]]:
    """The files of the solutions that paths are made from, each with the later verdicts on it.

    Raises:
        ValueError: the set has none, or none of the round.
    """
    paths = sampled_files(store, run_id, job.set_name)
    if job.round is None:
        return verdict_files(store, run_id, paths)
    group = SolutionsGroup.of_round(job.set_name, job.round, identify_engine(job.policy))
    found = [path for path in paths if SolutionsName.of(path).group == group]
    if not found:
        raise ValueError(
            f"run {run_id}: expected solutions of the set {job.set_name!r} that the policy sampled "
            f"in round {job.round}, got none"
        )
    return verdict_files(store, run_id, found)


def _identify_way(way: ErrorPath) -> tuple[str, ...]:
    """The identity of a way, with its model by what it is instead of where."""
    if not isinstance(way, InjectedConfig) or not isinstance(way.errors, ModelErrorsConfig):
        return (way.config_hash(),)
    model = way.errors.engine
    plain = way.with_fields(errors=way.errors.with_fields(engine=None))
    return (plain.config_hash(), "" if model is None else identify_engine(model))


def _say_templates(job: ErrorPathsJob, pool: TemplatePool) -> None:
    kind = "finished" if job.templates == "all" else job.templates
    words = f"{pool.num_templates:,} templates"
    if pool.num_without:
        words += f"; {pool.num_without:,} of {pool.num_problems:,} problems have no {kind} solution"
    if pool.num_one_step:
        words += f"; {pool.num_one_step:,} {kind} solutions of one step are left out"
    say(f"error paths {job.set_name}: {words}")


def _say_paths(
    job: ErrorPathsJob, way: ErrorPath, store: Store, made: Sequence[Receipt], pool: TemplatePool
) -> None:
    """Say how many paths a way has made, how many are wrong, and how many could not be made."""
    title = f"{way.type} {job.set_name}"
    paths = [receipt.path for receipt in made]
    verdicts = [each.as_py() for path in paths for each in store.columns(path, ("correct",))[0]]
    graded = [each for each in verdicts if each is not None]
    words = f"{len(verdicts):,} paths"
    if graded:
        words += f", {share_words(graded.count(False) / len(graded))} of the graded ones wrong"
    missing = pool.num_templates * way.num_paths - len(verdicts)
    if way.needs_template and missing > 0:
        words += f"; {missing:,} could not be made: no kind of error fits a step of their template"
    say(f"{title}: {words}")
    say_rows(title, count_rows(store, paths), text="paths", limit="paths.max_tokens")
