"""Policy training: another policy from a built set, by imitation, preference or reward."""

from flows.pages.token_rewards import publish_token_rewards
from flows.runs.late_flow import flow
from flows.runs.progress import say, training_progress
from flows.runs.recording import name_run, recorded_flow
from flows.runs.shares import say_look
from schemas.policy_training import PolicyTrainingJob
from schemas.rows import MODELS, TOKEN_REWARDS
from schemas.units import Stage, Unit, derive_id
from tasks.models.checkpoints import find_checkpoint
from tasks.training.task import check_job, look_before, train_unit


@flow(name="policy_training", flow_run_name=name_run)
def train_policy(job: PolicyTrainingJob, root: str, run_id: str | None = None) -> str:
    """Train and register a policy; the folder of its checkpoint."""
    name = f"{job.model_name}-{job.config_hash()}"
    with recorded_flow(Stage.POLICY_TRAINING, job, root, run_id, part=name) as (store, run_id):
        training_set = check_job(store, job, job.training_set)
        unit = Unit(
            run_id=run_id,
            stage=Stage.POLICY_TRAINING,
            # A set that was built again under the same name makes another model.
            name=f"{job.model_name}-{derive_id(job.config_hash(), training_set.fingerprint())}",
            table=MODELS.name,
            seed=job.method.seed,
        )
        if not store.has(unit):
            looked = look_before(training_set, job)
            say_look(f"train {job.model_name}", looked.figures, looked.warnings)
            if job.method.num_workers:
                from tasks.engines.cluster import start_ray

                start_ray()
            with training_progress(f"train {job.model_name}") as on_progress:
                train_unit(store.url, unit, job, job.training_set, on_progress, looked)
            paths = store.files(
                TOKEN_REWARDS.name,
                run_id=run_id,
                stage=Stage.POLICY_TRAINING,
                prefix=f"{unit.name}.",
            )
            publish_token_rewards(store, run_id, paths[-1:], title=job.model_name)
        folder = find_checkpoint(store, store.read(unit.path)[0].path)
        say(f"policy: {folder}")
        return folder
