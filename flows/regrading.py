"""Regrading: new verdicts on a run's stored solutions, without sampling again."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from flows.pages.graders import publish_graders
from flows.runs.critics import refinement_files
from flows.runs.graders import check_reference, measure_graders
from flows.runs.late_flow import flow
from flows.runs.progress import stage_progress
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import (
    error_path_files,
    problems_path,
    rollout_files,
    sampled_files,
    verdict_files,
)
from flows.runs.units import run_on_engines, unit_runner
from schemas.evaluation import EvaluationConfig
from schemas.graders import EnsembleGraderConfig, judges_in
from schemas.judging import JudgeGraderConfig
from schemas.regrading import RegradingJob
from schemas.rows import JUDGEMENTS, VERDICTS
from schemas.unit_names import (
    ErrorPathsName,
    JudgementsName,
    LabelsName,
    RefinementsName,
    SolutionsName,
    VerdictsName,
)
from schemas.units import Stage, Unit, UnitPath, derive_id
from storage import Store
from tasks.engines.engine_set import EngineSet
from tasks.regrading.judge import judge_name
from tasks.regrading.regrade import Change, Regrader
from tasks.regrading.task import judge_unit, regrade_unit

_GRADED: dict[str, type[SolutionsName | LabelsName | RefinementsName | ErrorPathsName]] = {
    Stage.ERROR_PATHS: ErrorPathsName,
    Stage.STEP_LABELS: LabelsName,
    Stage.REFINEMENTS: RefinementsName,
}
"""The names of the units of a stage, where they are not those of solutions."""

_MADE_HERE = (f"{VERDICTS.name}/", f"{JUDGEMENTS.name}/")


@flow(name="regrading", flow_run_name=name_run, task_runner=unit_runner())
def regrade(job: RegradingJob, root: str, run_id: str) -> Counter[Change]:
    """Grade a set's solutions again; how the newest verdicts differ from those before them."""
    part = f"{job.set_name}-{job.config_hash()}"
    with recorded_flow(Stage.REGRADING, job, root, run_id, part=part) as (store, run_id):
        if job.against is not None:
            check_reference(store, run_id, job.set_name, job.against)
        sampled = sampled_files(store, run_id, job.set_name)
        paths = list(sampled)
        if job.with_rollouts:
            paths += rollout_files(store, run_id, job.set_name)
        if job.with_refinements:
            paths += refinement_files(store, run_id, job.set_name)
        if job.with_error_paths:
            paths += error_path_files(store, run_id, job.set_name)
        regrader = Regrader(store, job.grader)
        changes: Counter[Change] = Counter()
        try:
            regrader.check_problems(problems_path(run_id, job.set_name))
            units = regrading_units(store, run_id, paths, sampled, regrader.grader_id, job.set_name)
            for judge in judges_in(job.grader):
                units = have_judged(judge, units, store, job.set_name)
            total = sum(store.num_rows(unit.inputs[0]) for unit in units)
            with stage_progress(
                f"regrade {job.set_name}", lambda: (changes.total(), total, 0), unit="verdicts"
            ):
                for unit in units:
                    changes += regrade_unit(store.url, unit, regrader)
        finally:
            regrader.close()
        if judges_in(job.grader) or isinstance(job.grader, EnsembleGraderConfig):
            metrics = measure_graders(store, run_id, job.set_name, EvaluationConfig(), job.against)
            publish_graders(store, run_id, metrics, set_name=job.set_name)
        return changes


def have_judged(
    judge: JudgeGraderConfig, units: Sequence[Unit], store: Store, set_name: str
) -> list[Unit]:
    """Have a judge judge what units of verdicts grade; the units with its judgements as inputs.

    Units whose judgements were quarantined are left out.
    """
    digest = derive_id(judge_name(judge))
    to_judge = [
        Unit(
            run_id=unit.run_id,
            stage=Stage.REGRADING,
            name=str(JudgementsName(VerdictsName.parse(unit.name).graded, digest)),
            table=JUDGEMENTS.name,
            inputs=tuple(p for p in unit.inputs if not p.startswith(_MADE_HERE)),
        )
        for unit in units
    ]
    receipts = run_on_engines(
        judge_unit,
        to_judge,
        judge,
        store=store,
        engines=EngineSet(judge=judge.engine),
        pool=judge.pool,
        total_rows=sum(store.num_rows(unit.inputs[0]) for unit in units) * judge.num_judgements,
        title=f"judge {set_name}",
    )
    written = {receipt.path for receipt in receipts}
    return [
        replace(unit, inputs=(*unit.inputs, judged.path))
        for unit, judged in zip(units, to_judge, strict=True)
        if judged.path in written
    ]


def regrading_units(
    store: Store,
    run_id: str,
    paths: Sequence[str],
    sampled: Sequence[str],
    grader_id: str,
    set_name: str,
) -> list[Unit]:
    """A unit per file of trajectories: its newest if this grader wrote it, else a new one.

    A file of rollouts is read together with the file of `sampled` solutions that they continue.
    """
    solutions = {SolutionsName.of(path): path for path in sampled}
    units = []
    for path, earlier in verdict_files(store, run_id, paths).items():
        if earlier and VerdictsName.of(earlier[-1]).grader_id == grader_id:
            earlier = earlier[:-1]
        graded = _GRADED.get(UnitPath.parse(path).stage, SolutionsName).of(path)
        continued = solutions.get(graded.solutions) if isinstance(graded, LabelsName) else None
        units.append(
            Unit(
                run_id=run_id,
                stage=Stage.REGRADING,
                name=str(VerdictsName(graded, len(earlier), grader_id)),
                table=VERDICTS.name,
                inputs=(
                    path,
                    problems_path(run_id, set_name),
                    *([continued] if continued else []),
                    *earlier,
                ),
            )
        )
    return units
