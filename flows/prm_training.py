"""Verifier training: a process reward model from a run's labelled solutions."""

from prefect import flow

from flows.runs.progress import training_progress
from flows.runs.recording import name_run, recorded_flow
from flows.runs.sets import label_files, problems_path, sampled_files
from schemas.prm_training import PrmTrainingJob
from schemas.rows import MODELS
from schemas.units import Stage, Unit, derive_id
from tasks.engines.pool import start_ray
from tasks.prm_training.task import train_unit


@flow(name="prm_training", flow_run_name=name_run)
def train_verifier(job: PrmTrainingJob, root: str, run_id: str | None = None) -> str:
    """Train and register a verifier; the folder of its checkpoint."""
    name = f"{job.training.model_name}-{job.config_hash()}"
    with recorded_flow(Stage.PRM_TRAINING, job, root, run_id, part=name) as (store, run_id):
        inputs: list[str] = []
        for set_name in job.set_names:
            labels = label_files(store, run_id, set_name)
            if not labels:
                raise ValueError(f"run {run_id} has no step labels of the set {set_name!r}")
            problems = problems_path(run_id, set_name)
            inputs += [problems, *sampled_files(store, run_id, set_name), *labels]
        unit = Unit(
            run_id=run_id,
            stage=Stage.PRM_TRAINING,
            # With more labels, of units that had failed at first, another model is trained.
            name=f"{job.training.model_name}-{derive_id(job.config_hash(), *inputs)}",
            table=MODELS.name,
            inputs=tuple(inputs),
            seed=job.training.seed,
        )
        if not store.has(unit):
            if job.training.num_workers:
                start_ray()
            with training_progress(f"train {job.training.model_name}") as on_progress:
                train_unit(store.url, unit, job, on_progress)
        return f"{store.url}/{store.read(unit.path)[0].path}"
