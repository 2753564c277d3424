"""Group-relative policy optimisation: TRL's GRPO trainer on start states.

Import it where training starts, not at the top of a module. Solutions are drawn by the project's
own engines: TRL gets a `rollout_func` that draws and rewards them (`Rollouts`) and treats it as its
own vLLM, so it requests new weights when a step has changed them and corrects for the difference
between the engine's probabilities and those of the model in training (importance sampling).
Solutions are drawn anew for every optimizer step, at temperature 1. Deviations from TRL: the order
of start states depends only on seed and epoch, so that a resumed training sees the same order; the
reward of a solution that was cut off is that of no answer; every solution becomes a row of
`trajectories`, committed with the checkpoint after it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch  # noqa: TID253 - this module is imported where training starts
from datasets import Dataset  # noqa: TID253
from trl.trainer.grpo_config import GRPOConfig as TrlGrpoConfig  # noqa: TID253
from trl.trainer.grpo_trainer import GRPOTrainer  # noqa: TID253
from trl.trainer.utils import RepeatSampler  # noqa: TID253

from schemas.policy_training import PolicyTrainingJob
from schemas.training.grpo import GrpoConfig
from schemas.training.recipe import TrainingJob
from tasks.training.common import training_rank
from tasks.training.drawn_rows import DrawnRows
from tasks.training.models import BaseModel
from tasks.training.rollouts import ZERO_VARIANCE, Rollouts
from tasks.training.rows import RowEncoder
from tasks.training.trainer import MethodTrainer, Work, shared_arguments

_NEWEST = -1


class GrpoTrainer(MethodTrainer, GRPOTrainer):
    """Makes solutions more likely that earn more than others of the same start state."""

    kept_columns: ClassVar[tuple[str, ...]] = (
        "prompt",
        "prefix",
        "prefix_ids",
        "vocabulary",
        "answer",
        "check",
        "problem_id",
        "source",
        "stage",
        "question",
        "attempt",
        "source_ids",
    )

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        job, config = work.job, work.job.recipe
        assert isinstance(job, PolicyTrainingJob)
        assert isinstance(config, GrpoConfig)
        needed = config.batch_size // config.group_size
        if len(rows) < needed:
            raise ValueError(
                f"expected at least {needed} start states, as many as a batch of "
                f"{config.batch_size} solutions holds, got {len(rows)}"
            )
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
                loss_type=config.loss,
                scale_rewards=config.scale_rewards,
            ),
            # A rollout function gets only prompts: a row's prompt is its index.
            train_dataset=Dataset.from_dict({"prompt": [str(n) for n in range(len(rows))]}),
            processing_class=base.tokenizer,
            rollout_func=_draw,
        )
        self.watch(work)
        self._drawn = DrawnRows(work.root, work.unit, job)
        # Only after TRL has started: an engine in this process sets up process groups.
        self.rollouts = Rollouts(
            job,
            rows,
            base.model,
            base.tokenizer,
            work_dir=work.work_dir,
            rank=training_rank(),
            num_processes=work.num_workers,
            drawn=self._drawn,
        )
        self.use_vllm = True
        self.vllm_generation = self.rollouts
        self._last_loaded_step = 0
        self._tokens_before: float | None = None
        self._max_tokens = config.max_generated_tokens

    @classmethod
    def encode_row(
        cls, encode: RowEncoder, row: Mapping[str, Any], job: TrainingJob
    ) -> Mapping[str, Any]:
        """See `MethodTrainer`."""
        return encode.start_state(row)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add figures of what was drawn: tokens, and the share of right solutions by stage.

        This ends the training when all workers together have drawn the tokens allowed.
        """
        if self._tokens_before is None:
            known = [e for e in self.state.log_history if "generated_tokens" in e]
            self._tokens_before = known[_NEWEST]["generated_tokens"] if known else 0
        logs |= self.rollouts.take_figures()
        drawn = torch.tensor(self.rollouts.generated_tokens, device=self.accelerator.device)
        total: Any = self.accelerator.reduce(drawn)
        logs["generated_tokens"] = self._tokens_before + int(total)
        if self._max_tokens is not None and logs["generated_tokens"] >= self._max_tokens:
            self.control.should_training_stop = self.control.should_save = True
        super().log(logs, start_time)

    def measure(self) -> dict[str, float]:
        """The share of all groups so far whose solutions all earned the same."""
        shares = [e[ZERO_VARIANCE] for e in self.state.log_history if ZERO_VARIANCE in e]
        return {f"mean_{ZERO_VARIANCE}": sum(shares) / len(shares)} if shares else {}

    def close(self) -> None:
        """Free the engines."""
        self.rollouts.close()

    def save_rows(self, folder: Path) -> None:
        """See `MethodTrainer`."""
        self._drawn.save(folder)

    def commit_rows(self, folder: Path) -> None:
        """See `MethodTrainer`."""
        if self.is_world_process_zero():
            self._drawn.commit(folder)

    def _get_train_sampler(self, dataset: Any = None) -> "EpochSampler":
        arguments: Any = self.args
        rows: Any = self.train_dataset if dataset is None else dataset
        group_size: int = arguments.num_generations
        return EpochSampler(
            rows,
            mini_repeat_count=group_size,
            batch_size=arguments.generation_batch_size // group_size,
            repeat_count=arguments.num_iterations * arguments.steps_per_generation,
            seed=arguments.seed,
        )


class EpochSampler(RepeatSampler):
    """TRL's sampler of groups, in an order that depends only on seed and epoch."""

    epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Go to an epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        """The epoch's rows, each repeated once per solution to draw."""
        self.generator: torch.Generator = torch.Generator()
        self.generator.manual_seed((self.seed or 0) + self.epoch)
        yield from super().__iter__()


def _draw(prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
    """TRL's rollout function."""
    return trainer.rollouts(prompts, trainer.state.global_step)


def _stored_reward(reward: list[float | None], **_: Any) -> list[float | None]:
    """The rewards that the rollouts got when they were drawn."""
    return reward


TRAINER = GrpoTrainer
