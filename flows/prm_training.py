"""Verifier training: a process reward model from labelled solutions.

The solutions of a run first become a `stepwise` set, through the same builder and checks as any
other set; a set that was built earlier can be named instead.
"""

from flows.dataset_export import build_training_set
from flows.runs.late_flow import flow
from flows.runs.progress import training_progress
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import label_files_for, problems_path, sampled_files
from flows.runs.shares import say_look
from schemas.dataset_export import DatasetExportJob, SourceConfig
from schemas.dataset_export.builders import StepwiseConfig
from schemas.prm_training import PrmTrainingJob
from schemas.rows import MODELS
from schemas.units import Stage, Unit, derive_id
from storage import Store
from tasks.models.checkpoints import find_checkpoint
from tasks.training.task import check_job, look_before, train_unit


@flow(name="prm_training", flow_run_name=name_run)
def train_verifier(job: PrmTrainingJob, root: str, run_id: str | None = None) -> str:
    """Train and register a verifier; the folder of its checkpoint."""
    name = f"{job.training.model_name}-{job.config_hash()}"
    with recorded_flow(Stage.PRM_TRAINING, job, root, run_id, part=name) as (store, run_id):
        inputs = _set_inputs(store, job) if job.training_set else _run_inputs(store, job, run_id)
        unit = Unit(
            run_id=run_id,
            stage=Stage.PRM_TRAINING,
            # More labels, such as those of units that failed at first, make another model.
            name=f"{job.training.model_name}-{derive_id(job.config_hash(), *inputs)}",
            table=MODELS.name,
            inputs=() if job.training_set else tuple(inputs),
            seed=job.training.seed,
        )
        if not store.has(unit):
            set_name = job.training_set or build_training_set(
                set_job(store, job, run_id), store.url, run_id
            )
            looked = look_before(check_job(store, job, set_name), job)
            say_look(f"train {job.training.model_name}", looked.figures, looked.warnings)
            if job.training.num_workers:
                from tasks.engines.cluster import start_ray

                start_ray()
            with training_progress(f"train {job.training.model_name}") as on_progress:
                train_unit(store.url, unit, job, set_name, on_progress, looked)
        return find_checkpoint(store, store.read(unit.path)[0].path)


def set_job(store: Store, job: PrmTrainingJob, run_id: str) -> DatasetExportJob:
    """How the run's labelled solutions become a set, in the order in which they were sampled."""
    paths = [problems_path(run_id, set_name) for set_name in job.set_names]
    splits = sorted({split for path in paths for split in store.column(path, "split")})
    return DatasetExportJob(
        builder=StepwiseConfig(method=job.method, unlabelled="keep", order="sampled"),
        source=SourceConfig(set_names=job.set_names, splits=tuple(splits)),
        checks=job.checks,
        prompt=job.prompt,
        policy=job.policy,
    )


def _run_inputs(store: Store, job: PrmTrainingJob, run_id: str) -> list[str]:
    """The files of a run with the problems, solutions and labels of the sets."""
    inputs: list[str] = []
    for set_name in job.set_names:
        labels = label_files_for(store, run_id, set_name, job.method)
        if not labels:
            raise ValueError(f"run {run_id} has no step labels of the set {set_name!r}")
        problems = problems_path(run_id, set_name)
        inputs += [problems, *sampled_files(store, run_id, set_name), *labels]
    return inputs


def _set_inputs(store: Store, job: PrmTrainingJob) -> list[str]:
    """What identifies a built set: other rows make another model."""
    assert job.training_set is not None
    return [check_job(store, job, job.training_set).fingerprint()]
