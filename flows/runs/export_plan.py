"""Which committed files a training set is made from, and how its policy was prompted."""

from collections.abc import Mapping, Sequence

from flows.runs.sets import named_files, problems_path, set_names
from flows.runs.stored import SOLVING, solving_configs
from schemas.dataset_export import DatasetExportJob
from schemas.rows import STEP_LABELS, STEP_SCORES, TRAJECTORIES, VERDICTS
from schemas.unit_names import LabelsName, ScoresName, SolutionsName, TreesName, VerdictsName
from schemas.units import Stage, UnitPath
from storage import Store
from tasks.dataset_export.sources import ExportPlan

_SOURCES = (
    (TRAJECTORIES.name, Stage.SAMPLING, SolutionsName),
    (TRAJECTORIES.name, Stage.IMPORTS, SolutionsName),
    (TRAJECTORIES.name, Stage.SEARCH, TreesName),
    (VERDICTS.name, Stage.REGRADING, VerdictsName),
    (STEP_SCORES.name, Stage.SCORING, ScoresName),
    (STEP_SCORES.name, Stage.IMPORTS, ScoresName),
    (STEP_LABELS.name, Stage.STEP_LABELS, LabelsName),
    (STEP_LABELS.name, Stage.IMPORTS, LabelsName),
)
"""The sources of sets: table, stage and the form of its unit names. Rollouts and rewards are not
sources. The order enters the names of sets."""


def plan_export(store: Store, job: DatasetExportJob, run_id: str) -> ExportPlan:
    """The plan of a job, with its prompt and policy filled in.

    Raises:
        ValueError: a run or one of its sets does not exist, or the prompt is not known.
    """
    run_ids = (run_id, *(run for run in job.source.more_runs if run != run_id))
    there = {run: set_names(store, run) for run in run_ids}
    for run, names in there.items():
        if not names:
            raise ValueError(
                f"run {run} has no problems in {store.url}: expected a run that solved some; "
                '`stepmill sql "select * from run_state"` lists the runs'
            )
    mix_sets = job.builder.original_sets
    tests = job.checks.test_sets
    if tests is None:
        used = {*job.source.set_names, *mix_sets}
        tests = sorted({name for names in there.values() for name in names} - used)
    return ExportPlan(
        job=_write_out_prompt(store, job, run_id),
        run_ids=run_ids,
        problem_files=_find(there, job.source.set_names, "source.set_names"),
        original_files=_find(there, mix_sets, "builder.mix_set"),
        test_files=_find(there, tests, "checks.test_sets"),
    )


def input_files(store: Store, plan: ExportPlan) -> list[str]:
    """All committed files that a set may depend on; with an additional file it is a different set.

    Files that a loop adds after the rounds of a job are left out, so that a loop that is run again
    finds its sets.
    """
    found = [*plan.problem_files, *plan.original_files, *plan.test_files]
    sets = {UnitPath.parse(path).unit for path in (*plan.problem_files, *plan.original_files)}
    source = plan.job.source
    for run_id in plan.run_ids:
        for table, stage, kind in _SOURCES:
            for path, name in named_files(store, kind, table, run_id, stage).items():
                is_used = name.group.set_name in sets
                if source.rounds is not None:
                    is_used &= name.group.is_of(source.rounds, source.policies)
                if is_used:
                    found.append(path)
    return found


def _find(there: Mapping[str, Sequence[str]], wanted: Sequence[str], field: str) -> tuple[str, ...]:
    """The files of these sets in all runs that have them."""
    for name in wanted:
        if not any(name in names for names in there.values()):
            known = ", ".join(sorted({each for names in there.values() for each in names}))
            raise ValueError(
                f"{field}: run {', '.join(there)} has no set {name!r}, expected one of {known}"
            )
    return tuple(problems_path(run, name) for run in there for name in wanted if name in there[run])


def _write_out_prompt(store: Store, job: DatasetExportJob, run_id: str) -> DatasetExportJob:
    """The job with the recorded prompt and policy of the run."""
    if job.prompt is not None:
        return job
    reads_trees = job.builder.reads == "trees"
    flows = (Stage.SEARCH,) if reads_trees else SOLVING
    for config in solving_configs(store, run_id, job.source.set_names, flows):
        given = config["policy"] if isinstance(config["policy"], dict) else None
        return job.with_fields(
            prompt=config["prompt"], policy=job.policy.model_dump() if job.policy else given
        )
    raise ValueError(
        f"prompt: expected one, since run {run_id} has no record of how the solutions of "
        f"{', '.join(job.source.set_names)} were prompted"
    )
