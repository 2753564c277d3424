"""REINFORCE with leave-one-out baselines: TRL's RLOO trainer on start states.

Import it where training starts, not at the top of a module. Solutions are drawn and rewarded as for
GRPO (`tasks/training/methods/grpo.py`), anew for every optimizer step, at temperature 1; the
deviations from TRL are those of GRPO. TRL's RLOO has no rollout function, so the two methods by
which it makes token ids of prompts and completions are replaced. It does not correct for the
difference between the engine's probabilities and those of the model in training.
"""

from typing import Any

from trl.trainer.rloo_config import RLOOConfig as TrlRlooConfig  # noqa: TID253
from trl.trainer.rloo_trainer import RLOOTrainer  # noqa: TID253

from schemas.training.rloo import RlooConfig
from tasks.training.drawing import DrawingTrainer, EpochSampler, number_states, sample_groups
from tasks.training.models import BaseModel
from tasks.training.rewards import total
from tasks.training.trainer import Work, shared_arguments


class RlooTrainer(DrawingTrainer, RLOOTrainer):
    """Makes solutions more likely that earn more than the mean of the others of their state."""

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        config = work.job.recipe
        assert isinstance(config, RlooConfig)
        clip = config.reward_clip
        super().__init__(
            model=base.model,
            reward_funcs=[self._stored_reward],
            args=TrlRlooConfig(
                **shared_arguments(work, log_every=1),
                num_generations=config.group_size,
                max_completion_length=config.max_new_tokens,
                temperature=1.0,
                beta=config.kl_weight,
                epsilon=config.clip,
                normalize_advantages=config.normalize_advantages,
                reward_clip_range=None if clip is None else (-clip, clip),
            ),
            train_dataset=number_states(rows, config),
            processing_class=base.tokenizer,
        )
        self.watch(work)
        self.open_rollouts(base, rows, work)
        self._served_step = 0
        self._batch: dict[str, list[Any]] = {}

    def _get_train_sampler(self, dataset: Any = None) -> EpochSampler:
        return sample_groups(self, dataset)

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        """Draw the solutions of a batch; the token ids of their prompts."""
        if self.state.global_step != self._served_step:
            self.rollouts.sync_weights()
            self._served_step = self.state.global_step
        self._batch = self.rollouts(prompts, self.state.global_step)
        return self._batch["prompt_ids"], None, {}

    def _generate_single_turn(self, *_: Any) -> list[list[int]]:
        """The token ids of the solutions drawn."""
        return self._batch["completion_ids"]

    def _stored_reward(self, **_: Any) -> list[float | None]:
        """The rewards that the rollouts got when they were drawn."""
        return [total(earned) for earned in self._batch["reward"]]


TRAINER = RlooTrainer
