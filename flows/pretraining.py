"""Pretraining: the small policy of the built-in world, from random weights."""

from flows.runs.late_flow import flow
from flows.runs.progress import say, stage_progress
from flows.runs.recording import name_run, recorded_flow
from schemas.pretraining import PretrainingConfig
from schemas.rows import MODELS
from schemas.units import Stage, Unit
from tasks.pretraining.task import pretrain_unit
from tasks.pretraining.train import TrainingProgress


@flow(name="pretraining", flow_run_name=name_run)
def pretrain(config: PretrainingConfig, root: str, run_id: str | None = None) -> str:
    """Train and register a policy; the folder of its checkpoint."""
    latest = TrainingProgress(step=0, tokens=0, total_tokens=config.num_tokens, loss=float("nan"))

    def on_progress(progress: TrainingProgress) -> None:
        nonlocal latest
        latest = progress

    with recorded_flow(Stage.PRETRAINING, config, root, run_id) as (store, run_id):
        unit = Unit(run_id=run_id, stage=Stage.PRETRAINING, name="policy", table=MODELS.name)
        if not store.has(unit):
            with stage_progress(
                "pretrain", lambda: (latest.tokens, latest.total_tokens, 0), unit="tokens"
            ):
                pretrain_unit(store.url, unit, config, on_progress)
        folder = f"{store.url}/{store.read(unit.path)[0].path}"
        say(f"policy: {folder}")
        return folder
