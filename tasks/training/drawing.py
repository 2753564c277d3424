"""What the trainers share that draw their own solutions: start states, figures, budgets, rows.

Import it where training starts, not at the top of a module: it needs torch and TRL.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch  # noqa: TID253 - this module is imported where training starts
from datasets import Dataset  # noqa: TID253
from trl.trainer.utils import RepeatSampler  # noqa: TID253

from schemas.policy_training import PolicyTrainingJob
from schemas.training.drawing import DrawingRecipe
from schemas.training.recipe import TrainingJob
from tasks.training.common import training_rank
from tasks.training.drawn_rows import DrawnRows
from tasks.training.models import BaseModel
from tasks.training.rollouts import UNFILLED, ZERO_VARIANCE, Rollouts
from tasks.training.rows import RowEncoder
from tasks.training.trainer import MethodTrainer, Work


class DrawingTrainer(MethodTrainer):
    """A mix-in for trainers that draw solutions of start states with the project's engines.

    A subclass calls `open_rollouts` at the end of its own `__init__`: an engine in this process
    sets up process groups, which must exist before.
    """

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

    @classmethod
    def encode_row(
        cls, encode: RowEncoder, row: Mapping[str, Any], job: TrainingJob
    ) -> Mapping[str, Any]:
        """See `MethodTrainer`."""
        return encode.start_state(row)

    def open_rollouts(self, base: BaseModel, rows: Any, work: Work) -> None:
        """Open the engines that draw solutions of these start states."""
        job = work.job
        assert isinstance(job, PolicyTrainingJob)
        self._drawn = DrawnRows(work.root, work.unit, job)
        self._tokens_before: float | None = None
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

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add figures of what was drawn: tokens, and the share of right solutions by stage.

        When all workers together have drawn the tokens allowed, this ends the training between two
        draws.
        """
        recipe = self.work.job.recipe
        assert isinstance(recipe, DrawingRecipe)
        if self._tokens_before is None:
            known = [e for e in self.state.log_history if "generated_tokens" in e]
            self._tokens_before = known[-1]["generated_tokens"] if known else 0
        logs |= self.rollouts.take_figures()
        drawn = torch.tensor(self.rollouts.generated_tokens, device=self.accelerator.device)
        total: Any = self.accelerator.reduce(drawn)
        logs["generated_tokens"] = self._tokens_before + int(total)
        limit = recipe.max_generated_tokens
        if (
            limit is not None
            and logs["generated_tokens"] >= limit
            and self.state.global_step % recipe.steps_per_draw == 0
        ):
            self.control.should_training_stop = self.control.should_save = True
        super().log(logs, start_time)

    def measure(self) -> dict[str, float]:
        """Mean shares over the steps of groups whose solutions all earned the same.

        Of the groups drawn, and of those that were trained on after all redraws.
        """
        figures = {}
        for name in (ZERO_VARIANCE, UNFILLED):
            shares = [entry[name] for entry in self.state.log_history if name in entry]
            if shares:
                figures[f"mean_{name}"] = sum(shares) / len(shares)
        return figures

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


def number_states(rows: Any, recipe: DrawingRecipe) -> Dataset:
    """The start states as a set of their numbers, which is all that a trainer needs to know.

    Raises:
        ValueError: there are fewer than are drawn from at once.
    """
    needed = recipe.rows_per_step
    if len(rows) < needed:
        raise ValueError(
            f"expected at least {needed} start states, as many as a batch of "
            f"{recipe.solutions_per_draw} solutions holds, got {len(rows)}"
        )
    return Dataset.from_dict({"prompt": [str(number) for number in range(len(rows))]})


def sample_groups(trainer: Any, rows: Any) -> EpochSampler:
    """The sampler of a TRL trainer whose solutions come in groups."""
    arguments = trainer.args
    group_size: int = arguments.num_generations
    return EpochSampler(
        trainer.train_dataset if rows is None else rows,
        mini_repeat_count=group_size,
        batch_size=arguments.generation_batch_size // group_size,
        repeat_count=arguments.num_iterations * arguments.steps_per_generation,
        seed=arguments.seed,
    )
