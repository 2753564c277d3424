"""Import: solutions, scores and step labels made elsewhere, brought into a run unit by unit."""

import shlex
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

from flows.runs.late_flow import flow
from flows.runs.progress import say, stage_progress
from flows.runs.recording import name_run, recorded_flow
from flows.runs.shares import say_rows
from schemas.imports import ImportsJob
from schemas.rows import PROBLEMS, STEP_LABELS, STEP_SCORES, TRAJECTORIES
from schemas.unit_names import LabelsName, ScoresName, SolutionsGroup, SolutionsName
from schemas.units import Stage, Unit
from storage import Store
from storage.shares import count_rows
from tasks.graders import make_grader
from tasks.imports.grade import find_unusable_checks
from tasks.imports.read import FileSurvey, read_chunks, survey_file
from tasks.imports.source import digest_source, name_format
from tasks.imports.task import (
    ChunkFiles,
    Verdicts,
    count_verdicts,
    import_chunk,
    import_problems,
)

_MAX_NOTES = 10


@flow(name="imports", flow_run_name=name_run)
def import_solutions(job: ImportsJob, root: str, run_id: str | None = None) -> list[str]:
    """Grade and store a file's solutions; the paths of the files of trajectories."""
    job = _name_everything(job)
    with tempfile.TemporaryDirectory() as folder:
        left_out = Path(folder) / "left_out.txt"
        survey = _survey(job, left_out)
        return _import_survey(survey, left_out, job, root, run_id)


def _import_survey(
    survey: FileSurvey, left_out: Path, job: ImportsJob, root: str, run_id: str | None
) -> list[str]:
    # The digest stands for the file, wherever it lies.
    with recorded_flow(
        Stage.IMPORTS, job, root, run_id, part=job.set_name, named_by_part=("path",)
    ) as (store, run_id):
        _store_problems(store, run_id, survey, job)
        notes_name = f"imports/{run_id}/{job.set_name}-left-out.txt"
        if survey.num_left_out > _MAX_NOTES:
            store.put_file(left_out, notes_name)
        group = SolutionsGroup(job.set_name)
        units = [
            Unit(
                run_id=run_id,
                stage=Stage.IMPORTS,
                name=str(SolutionsName(group, index, is_imported=True)),
                table=TRAJECTORIES.name,
            )
            for index in range(len(survey.fingerprints))
        ]
        verdicts = _import_units(store, units, survey, job)
    paths = [unit.path for unit in units]
    say_rows(f"import {job.set_name}", count_rows(store, paths))
    _say_what_is_left_out(survey, f"{store.url}/{notes_name}", job)
    _say_what_came(store, run_id, survey, verdicts, job)
    return paths


def _name_everything(job: ImportsJob) -> ImportsJob:
    """The job with every field filled in that depends on the file's name or content.

    Raises:
        ValueError: the file is missing, or is not the one that the job names.
    """
    digest = digest_source(job)
    if job.digest not in (None, digest):
        raise ValueError(f"{job.place}: expected the digest {job.digest}, got {digest}")
    return name_format(job).with_fields(
        digest=digest,
        source=job.source_name,
        policy=job.policy_name,
        verifier=job.verifier_name,
    )


def _survey(job: ImportsJob, left_out: Path) -> FileSurvey:
    num_rows = 0

    def on_progress(rows: int) -> None:
        nonlocal num_rows
        num_rows = rows

    with (
        left_out.open("w", encoding="utf-8", errors="backslashreplace") as stream,
        stage_progress(f"read {job.set_name}", lambda: (num_rows, 0, 0)),
    ):
        return survey_file(job, on_progress, stream)


def _store_problems(store: Store, run_id: str, survey: FileSurvey, job: ImportsJob) -> None:
    unit = Unit(run_id=run_id, stage=Stage.PROBLEMS, name=job.set_name, table=PROBLEMS.name)
    if not store.has(unit):
        import_problems(store.url, unit, survey.problems, survey.notes)
    elif [row.problem_id for row in store.read(unit.path)] != survey.problem_ids:
        raise ValueError(
            f"run {run_id} has a set {job.set_name!r} with other problems: "
            "import under another set name, or into another run"
        )


def _import_units(store: Store, units: list[Unit], survey: FileSurvey, job: ImportsJob) -> Verdicts:
    """Import the units whose files are missing; the counts of all verdicts."""
    files = [_files_of(unit, survey, job) for unit in units]
    missing = {unit.path for unit in store.missing([unit for of in files for unit in of.units])}
    verdicts: Verdicts = Counter()
    unusable: list[str] = []
    grader = make_grader(job.grader)
    title = f"import {job.set_name}"
    try:
        with stage_progress(title, lambda: (verdicts.total(), survey.num_responses, 0)):
            for index, chunk in enumerate(read_chunks(job)):
                if chunk.fingerprint not in survey.fingerprints[index : index + 1]:
                    raise ValueError(f"{job.place} changed while it was imported")
                if any(unit.path in missing for unit in files[index].units):
                    unusable += find_unusable_checks(chunk.new_problems, grader)
                    verdicts += import_chunk(store.url, files[index], chunk, job, grader)
                else:
                    verdicts += count_verdicts(store, units[index])
    finally:
        grader.close()
    for note in unusable[:_MAX_NOTES]:
        say(f"import {job.set_name}: {note}")
    if len(unusable) > _MAX_NOTES:
        say(f"import {job.set_name}: {len(unusable) - _MAX_NOTES:,} more problems stay ungraded")
    return verdicts


def _files_of(unit: Unit, survey: FileSurvey, job: ImportsJob) -> ChunkFiles:
    name = SolutionsName.parse(unit.name)
    scores = replace(unit, name=str(ScoresName.by(job.verifier_name, name)), table=STEP_SCORES.name)
    labels = replace(unit, name=str(LabelsName(name, 0)), table=STEP_LABELS.name)
    return ChunkFiles(
        solutions=unit,
        scores=scores if survey.has_scores else None,
        labels=labels if job.is_labelled else None,
    )


def _say_what_is_left_out(survey: FileSurvey, file: str, job: ImportsJob) -> None:
    """Print the first rows that were left out, and the file that names all of very many."""
    for note in survey.notes[:_MAX_NOTES]:
        say(f"import {job.set_name}: {note}")
    if survey.num_left_out > _MAX_NOTES:
        say(
            f"import {job.set_name}: {survey.num_left_out - _MAX_NOTES:,} more rows are left out; "
            f"all are in {file}"
        )
    if survey.num_mended:
        say(
            f"import {job.set_name}: {survey.num_mended:,} solutions had other line ends, or "
            "blanks in blank lines: both were mended, so that steps end there"
        )


def _say_what_came(
    store: Store, run_id: str, survey: FileSurvey, verdicts: Verdicts, job: ImportsJob
) -> None:
    """Print what was stored, and how to look further."""
    scored = f", scored by {job.verifier_name!r}" if survey.has_scores else ""
    say(
        f"import {job.set_name}: {survey.problems.num_rows:,} problems, {verdicts.total():,} "
        f"solutions by {job.policy_name!r}{scored}: {verdicts[True]:,} right, "
        f"{verdicts[False]:,} wrong, {verdicts[None]:,} ungraded; "
        f"{survey.num_left_out:,} rows left out"
    )
    place = f"--root {shlex.quote(store.url)}"
    if job.is_labelled:
        _say_labels(run_id, survey, job, place)
        return
    say(f"next:\n  stepmill run evaluation --run-id {run_id} {place} --set set_name={job.set_name}")
    say(f"  stepmill report {run_id} {place}")


def _say_labels(run_id: str, survey: FileSurvey, job: ImportsJob, place: str) -> None:
    labels = survey.labels
    say(
        f"import {job.set_name}: steps labelled by {job.labels_method!r}: "
        f"{labels.get(True, 0):,} right, {labels.get(False, 0):,} wrong, "
        f"{labels.get(None, 0):,} without a label"
    )
    if survey.num_divided_steps:
        say(
            f"import {job.set_name}: {survey.num_divided_steps:,} steps have the separator "
            f"{job.prompt.separator!r} inside; a verifier trained on them reads larger steps than "
            "solutions cut at it have (prompt.separator names another)"
        )
    model = "policy.type=vllm --set policy.model=MODEL"
    say(
        f"next: train on the labels, or score the solutions\n"
        f"  stepmill run prm_training --run-id {run_id} {place} "
        f"--set 'set_names=[{job.set_name}]' --set method={shlex.quote(str(job.labels_method))} "
        f"--set {model} --set training.base_model=MODEL\n"
        f"  stepmill run scoring --run-id {run_id} {place} --set set_name={job.set_name} "
        f"--set {model} --set verifier.type=vllm --set verifier.model=VERIFIER"
    )
