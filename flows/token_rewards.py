"""Token rewards: what each token of a run's sampled solutions would earn in training."""

from dataclasses import replace

from flows.pages.token_rewards import publish_token_rewards
from flows.runs.late_flow import flow
from flows.runs.progress import stage_progress
from flows.runs.reading import reading_units
from flows.runs.recording import name_run, recorded_flow
from flows.runs.units import run_here
from schemas.rows import TOKEN_REWARDS
from schemas.token_rewards import TokenRewardsJob
from schemas.unit_names import SolutionsGroup
from schemas.units import Stage
from tasks.engines.open import identify_engine
from tasks.token_rewards.crediting import Crediting, check_job, reader_name
from tasks.token_rewards.task import credit_unit


@flow(name="token_rewards", flow_run_name=name_run)
def reward_tokens(job: TokenRewardsJob, root: str, run_id: str) -> list[str]:
    """Divide the rewards of the set's solutions; the paths of the files of token rewards."""
    part = f"{job.set_name}-{job.config_hash()}"
    with recorded_flow(Stage.TOKEN_REWARDS, job, root, run_id, part=part) as (store, run_id):
        check_job(job)
        group = None
        if job.round is not None:
            policy = identify_engine(job.policy)
            group = SolutionsGroup.of_round(job.set_name, job.round, policy)
        limit = job.num_solutions
        units = reading_units(
            store,
            run_id,
            set_name=job.set_name,
            group=group,
            reader=reader_name(job) + ("" if limit is None else f" first {limit}"),
            table=TOKEN_REWARDS,
            stage=Stage.TOKEN_REWARDS,
        )
        if limit is not None:
            units = [
                replace(unit, rows=(0, min(limit, store.num_rows(unit.inputs[0]))))
                for unit in units
            ]
        total = sum(unit.rows[1] if unit.rows else store.num_rows(unit.inputs[0]) for unit in units)
        title = f"reward tokens of {job.set_name}"
        missing = store.missing(units)
        if missing:
            crediting = Crediting(job)
            try:
                with stage_progress(
                    title, lambda: (crediting.num_rows, total, crediting.scored_tokens)
                ):
                    run_here(
                        lambda unit: credit_unit(store.url, unit, crediting),
                        missing,
                        store=store,
                        title=title,
                    )
            finally:
                crediting.close()
        paths = [unit.path for unit in units if store.has(unit)]
        publish_token_rewards(store, run_id, paths, title=f"{job.set_name} {job.reward.label}")
        return paths
