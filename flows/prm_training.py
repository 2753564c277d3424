"""Verifier training: a process reward model from a run's labelled solutions."""

from collections.abc import Mapping

from prefect import flow

from flows import sampling, step_labels
from flows.progress import stage_progress
from schemas.prm_training import PrmTrainingJob
from schemas.rows import MODELS, PROBLEMS, STEP_LABELS, TRAJECTORIES
from schemas.units import Unit
from storage import Store
from tasks.engines.pool import start_ray
from tasks.prm_training.task import train_unit

STAGE = "prm_training"


@flow(name="prm_training")
def train_verifier(job: PrmTrainingJob, root: str, run_id: str) -> str:
    """Train and register a verifier; the folder of its checkpoint."""
    store = Store(root)
    inputs: list[str] = []
    for name in job.set_names:
        for table, stage, prefix in (
            (PROBLEMS.name, "problems", name),
            (TRAJECTORIES.name, sampling.STAGE, f"{name}-"),
            (STEP_LABELS.name, step_labels.STAGE, f"{name}-"),
        ):
            found = store.files(table, run_id=run_id, stage=stage, prefix=prefix)
            if not found:
                raise ValueError(f"run {run_id} has no {table} of the set {name!r}")
            inputs += found
    unit = Unit(
        run_id=run_id,
        stage=STAGE,
        name=f"{job.training.model_name}-{job.config_hash()}",
        table=MODELS.name,
        inputs=tuple(inputs),
        seed=job.training.seed,
    )
    if not store.has(unit):
        if job.training.num_workers:
            start_ray()
        _train(root, unit, job)
    return str(store.root / store.read(unit.path)[0].path)


def _train(root: str, unit: Unit, job: PrmTrainingJob) -> None:
    figures: dict[str, float] = {}

    def on_progress(report: Mapping[str, float]) -> None:
        figures.update(report)

    def measure() -> tuple[int, int, int]:
        step, num_steps, tokens = (figures.get(k, 0) for k in ("step", "num_steps", "tokens"))
        return int(step), int(num_steps), int(tokens)

    with stage_progress(f"train {job.training.model_name}", measure, unit="steps"):
        train_unit(root, unit, job, on_progress)
