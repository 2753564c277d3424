"""Pretraining: the small policy of the built-in world, from random weights."""

from prefect import flow

from flows.progress import say, stage_progress
from schemas.pretraining import PretrainingConfig
from schemas.rows import MODELS
from schemas.units import Unit
from storage import Store
from tasks.pretraining.task import pretrain_unit
from tasks.pretraining.train import TrainingProgress


@flow(name="pretraining")
def pretrain(config: PretrainingConfig, root: str, run_id: str) -> str:
    """Train and register a policy; the folder of its checkpoint."""
    store = Store(root)
    unit = Unit(run_id=run_id, stage="pretraining", name="policy", table=MODELS.name)
    latest = TrainingProgress(step=0, tokens=0, total_tokens=config.num_tokens, loss=float("nan"))

    def on_progress(progress: TrainingProgress) -> None:
        nonlocal latest
        latest = progress

    if not store.has(unit):
        with stage_progress(
            "pretrain", lambda: (latest.tokens, latest.total_tokens, 0), unit="tokens"
        ):
            pretrain_unit(root, unit, config, on_progress)
    folder = store.root / store.read(unit.path)[0].path
    say(f"policy: {folder}")
    return str(folder)
