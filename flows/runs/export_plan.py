"""Which committed files a training set is made from, and how its policy was prompted."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

from flows.runs.sets import (
    IMPORTS_STAGE,
    PROBLEMS_STAGE,
    SAMPLING_STAGE,
    SEARCH_STAGE,
    is_of_round,
    problems_path,
)
from schemas.dataset_export import DatasetExportJob
from schemas.rows import PROBLEMS, STEP_LABELS, STEP_SCORES, TRAJECTORIES, VERDICTS
from storage import Store
from storage.runs import recorded_configs
from tasks.dataset_export.sources import ExportPlan

_STAGES = {
    TRAJECTORIES.name: (SAMPLING_STAGE, IMPORTS_STAGE, SEARCH_STAGE),
    VERDICTS.name: ("regrading",),
    STEP_SCORES.name: ("scoring", IMPORTS_STAGE),
    STEP_LABELS.name: ("step_labels",),
}
"""What sets are made from; rollouts and rewards are not."""


def plan_export(store: Store, job: DatasetExportJob, run_id: str) -> ExportPlan:
    """The plan of a job, with its prompt and policy filled in.

    Raises:
        ValueError: a run or one of its sets does not exist, or the prompt is not known.
    """
    run_ids = (run_id, *(run for run in job.source.more_runs if run != run_id))
    there = {run: _set_names(store, run) for run in run_ids}
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
    """All committed files that a set may depend on: one more of them makes another set.

    Files that a loop makes after the rounds of a job are not among them, so a resumed loop finds
    its sets.
    """
    found = [*plan.problem_files, *plan.original_files, *plan.test_files]
    sets = {PurePath(path).stem for path in (*plan.problem_files, *plan.original_files)}
    source = plan.job.source
    for run_id in plan.run_ids:
        for table, stages in _STAGES.items():
            for stage in stages:
                for path in store.files(table, run_id=run_id, stage=stage):
                    unit = PurePath(path).stem
                    is_used = unit.partition(".")[0] in sets
                    if source.rounds is not None:
                        is_used &= is_of_round(unit, source.rounds, source.policies)
                    if is_used:
                        found.append(path)
    return found


def _set_names(store: Store, run_id: str) -> list[str]:
    paths = store.files(PROBLEMS.name, run_id=run_id, stage=PROBLEMS_STAGE)
    return [PurePath(path).stem for path in paths]


def _find(
    there: Mapping[str, Sequence[str]], set_names: Sequence[str], field: str
) -> tuple[str, ...]:
    """The files of these sets in all runs that have them."""
    for name in set_names:
        if not any(name in names for names in there.values()):
            known = ", ".join(sorted({each for names in there.values() for each in names}))
            raise ValueError(
                f"{field}: run {', '.join(there)} has no set {name!r}, expected one of {known}"
            )
    return tuple(
        problems_path(run, name) for run in there for name in set_names if name in there[run]
    )


def _write_out_prompt(store: Store, job: DatasetExportJob, run_id: str) -> DatasetExportJob:
    """The job with the prompt and the policy that the run has on record."""
    if job.prompt is not None:
        return job
    reads_trees = job.builder.reads == "trees"
    flows = (SEARCH_STAGE,) if reads_trees else (SAMPLING_STAGE, IMPORTS_STAGE)
    for flow in flows:
        for config in recorded_configs(store, run_id, flow):
            if config.get("set_name") in job.source.set_names:
                policy = config.get("policy")
                given = policy if isinstance(policy, dict) else None
                return job.with_fields(
                    prompt=config["prompt"],
                    policy=job.policy.model_dump() if job.policy else given,
                )
    raise ValueError(
        f"prompt: expected one, since run {run_id} has no record of how the solutions of "
        f"{', '.join(job.source.set_names)} were asked for"
    )
