"""Group-relative policy optimisation: TRL's GRPO trainer on start states.

Import it where training starts, not at the top of a module. Solutions are drawn by the project's
own engines: TRL gets a `rollout_func` that draws and rewards them (`Rollouts`) and treats it as its
own vLLM, so it requests new weights when a step has changed them and corrects for the difference
between the engine's probabilities and those of the model in training (importance sampling).
Solutions are drawn anew for every optimizer step, at temperature 1. Deviations from TRL: the order
of start states depends only on seed and epoch, so that a resumed training sees the same order; the
reward of a solution that was cut off is that of no answer; every solution becomes a row of
`trajectories`, committed with the checkpoint after it; a group without variance is replaced by one
of another start state (`max_redraws`), which may be a state of the same batch.
"""

from typing import Any

from trl.trainer.grpo_config import GRPOConfig as TrlGrpoConfig  # noqa: TID253
from trl.trainer.grpo_trainer import GRPOTrainer  # noqa: TID253

from schemas.training.grpo import GrpoConfig
from tasks.training.drawing import DrawingTrainer, EpochSampler, number_states, sample_groups
from tasks.training.models import BaseModel
from tasks.training.rewards import Earned, total
from tasks.training.trainer import Work, shared_arguments


class GrpoTrainer(DrawingTrainer, GRPOTrainer):
    """Makes solutions more likely that earn more than others of the same start state."""

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        config = work.job.recipe
        assert isinstance(config, GrpoConfig)
        super().__init__(
            model=base.model,
            reward_funcs=[_stored_reward],
            args=TrlGrpoConfig(
                **shared_arguments(work, log_every=1),
                num_generations=config.group_size,
                max_completion_length=config.max_new_tokens,
                temperature=1.0,
                beta=config.kl_weight,
                epsilon=config.clip,
                epsilon_high=config.clip_high,
                loss_type=config.loss,
                scale_rewards=config.scale_rewards,
            ),
            # A rollout function gets only prompts: a row's prompt is its index.
            train_dataset=number_states(rows, config),
            processing_class=base.tokenizer,
            rollout_func=_draw,
        )
        self.watch(work)
        self.open_rollouts(base, rows, work)
        self.use_vllm = True
        self.vllm_generation = self.rollouts
        self._last_loaded_step = 0

    def _get_train_sampler(self, dataset: Any = None) -> EpochSampler:
        return sample_groups(self, dataset)


def _draw(prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
    """TRL's rollout function."""
    return trainer.rollouts(prompts, trainer.state.global_step)


def _stored_reward(reward: list[Earned], **_: Any) -> list[float | None]:
    """The rewards that the rollouts got when they were drawn."""
    return [total(earned) for earned in reward]


TRAINER = GrpoTrainer
