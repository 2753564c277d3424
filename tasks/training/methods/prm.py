"""Process reward models: TRL's PRM trainer on solutions with step labels.

Import it where training starts, not at the top of a module: it needs torch and trl. The losses are
those of arXiv:2211.14275 for processes and outcomes. Conventions where published data disagree: a
step without a label (ungraded, or never reached) carries no loss and does not count as wrong; a
hard label is that of the labelling method, a soft one the solved fraction; a step whose label was
inferred, and so has no fraction, keeps its hard label as 0 or 1 among soft ones. An outcome row has
one label, on its last step: the answer's verdict.

Deviations from TRL: rows come tokenised by the layout that serving uses, targets may be
probabilities and rows may be weighted, batches hold rows of similar length, and early stopping
measures the loss per labelled step, over all held-out rows, on every worker.
"""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

import torch  # noqa: TID253 - this module is imported where training starts
from transformers import EarlyStoppingCallback  # noqa: TID253
from trl.experimental.prm import PRMConfig, PRMTrainer  # noqa: TID253

from schemas.errors import ModelUnusable
from schemas.training.prm import PrmTrainingConfig
from schemas.training.recipe import TrainingJob
from tasks.training.common import pad_token_id
from tasks.training.confidence import mix_step_targets
from tasks.training.measure import heldout_loss, measure_verifier
from tasks.training.models import BaseModel
from tasks.training.rows import RowEncoder
from tasks.training.step_batches import UNLABELLED, collate, step_loss
from tasks.training.targets import (
    check_labels,
    choose_heldout,
    choose_outcomes,
    step_targets,
)
from tasks.training.trainer import LengthBatchesTrainer, Work, shared_arguments
from tasks.verifiers.layout import lay_out

_WORST_NATS = 5 * math.log(2)
"""Mean loss per label that only a useless model exceeds; guessing costs log 2."""


class PrmTrainer(LengthBatchesTrainer, PRMTrainer):
    """Trains a verifier to predict which steps are right."""

    kept_columns: ClassVar[tuple[str, ...]] = ("problem_id",)

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        config = work.job.recipe
        assert isinstance(config, PrmTrainingConfig)
        check_separator(base.tokenizer, config.separator)
        train, heldout, self._left_out = divide_rows(rows, config)
        check_labels(train)
        self._heldout = [] if heldout is None else list(heldout)
        stops_early = config.early_stopping is not None and bool(self._heldout)
        super().__init__(
            model=base.model,
            args=PRMConfig(
                **shared_arguments(work) | (_stopping_arguments(config) if stops_early else {}),
                include_num_input_tokens_seen="non_padding",
                average_tokens_across_devices=False,
                max_length=None,
                step_separator=config.separator,
                disable_dropout=True,
            ),
            train_dataset=train,
            eval_dataset=heldout,
            data_collator=partial(  # type: ignore[arg-type]
                collate,
                pad_token_id=pad_token_id(base.tokenizer),
                outcome_weight=config.outcome_weight,
            ),
            processing_class=base.tokenizer,
        )
        if stops_early and config.early_stopping is not None:
            self.add_callback(EarlyStoppingCallback(config.early_stopping.patience))
        # The loss is already a mean: the trainer must not divide by a count of labels again.
        self.model_accepts_loss_kwargs = False
        self.watch(work, worst_loss=_WORST_NATS)

    @classmethod
    def encode_row(
        cls, encode: RowEncoder, row: Mapping[str, Any], job: TrainingJob
    ) -> Mapping[str, Any]:
        """Token ids of prompt and steps, and a target or None at each step's last token."""
        config = job.recipe
        assert isinstance(config, PrmTrainingConfig)
        layout = lay_out(
            encode.encode,
            row["prompt"],
            row["completions"],
            config.separator,
            step_ids=encode.sampled(row, "completions_ids"),
            has_chat_template=encode.has_chat_template,
        )
        by_step, labels = step_targets(row, config)
        return {
            "input_ids": list(layout.token_ids),
            "positions": list(layout.positions),
            "labels": labels,
            "is_outcome": not any(label is not None for label in by_step),
            "length": len(layout.token_ids),
        }

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of one batch, with the model's output on request."""
        output = model(input_ids=inputs["input_ids"], use_cache=False)
        targets = self._mixed(output.logits, inputs["targets"])
        loss = step_loss(output.logits, targets, inputs["weights"])
        return (loss, output) if return_outputs else loss

    def _mixed(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The targets of a batch at this step of the training."""
        config = self.work.job.recipe
        assert isinstance(config, PrmTrainingConfig)
        if config.confidence is None:
            return targets
        weight = config.confidence.weight_at(self.progress)
        return mix_step_targets(logits, targets, weight, unlabelled=UNLABELLED)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """The held-out loss, for early stopping."""
        config = self.work.job.recipe
        assert isinstance(config, PrmTrainingConfig)
        loss = heldout_loss(self.model, self._heldout, outcome_weight=config.outcome_weight)
        figures = {"eval_loss": loss}
        self.log(dict(figures))
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, figures
        )
        return figures

    def measure(self) -> dict[str, float]:
        """Held-out figures, and the last loss of the training."""
        config = self.work.job.recipe
        assert isinstance(config, PrmTrainingConfig)
        losses = [entry["loss"] for entry in self.state.log_history if "loss" in entry]
        figures = {"training_loss": losses[-1]} if losses else {}
        if self._heldout:
            weight = config.outcome_weight
            figures |= measure_verifier(self.model, self._heldout, outcome_weight=weight)
        return figures

    def counts(self) -> dict[str, int]:
        """Rows and labelled steps trained on, rows held out, and rows left out."""
        rows: Any = self.train_dataset
        return {
            "training_rows": len(rows),
            "heldout_rows": len(self._heldout),
            "labelled_steps": sum(
                label is not None for labels in rows["labels"] for label in labels
            ),
            **self._left_out,
        }


def divide_rows(rows: Any, config: PrmTrainingConfig) -> tuple[Any, Any, dict[str, int]]:
    """Rows to train on, rows to measure on (None for none), and how many were left out and why.

    Left out are rows without any label, and outcome rows of a mixture beyond their share.
    """
    has_label = [any(label is not None for label in labels) for labels in rows["labels"]]
    used = [index for index, is_labelled in enumerate(has_label) if is_labelled]
    left_out = {}
    if len(used) < len(has_label):
        left_out["unlabelled"] = len(has_label) - len(used)
    if config.data == "mixture":
        is_outcome = rows["is_outcome"]
        dropped = choose_outcomes(used, is_outcome, config)
        used = [index for index in used if index not in dropped]
        if dropped:
            left_out["over_outcome_share"] = len(dropped)
    problem_ids = rows["problem_id"]
    held_out = choose_heldout(
        [problem_ids[index] for index in used],
        eval_fraction=config.eval_fraction,
        seed=config.seed,
    )
    train = [index for index in used if problem_ids[index] not in held_out]
    measured = [index for index in used if problem_ids[index] in held_out]
    return rows.select(train), rows.select(measured) if measured else None, left_out


def check_separator(tokenizer: Any, separator: str) -> None:
    """Refuse a separator that this tokenizer cannot write.

    Raises:
        ModelUnusable: the tokenizer turns it into no token, or an unknown one.
    """
    ids = tokenizer(separator, add_special_tokens=False)["input_ids"]
    if not ids or tokenizer.unk_token_id in ids:
        raise ModelUnusable(
            f"separator {separator!r}: expected text that this tokenizer knows, it becomes the "
            f"tokens {tokenizer.convert_ids_to_tokens(ids)}"
        )


def _stopping_arguments(config: PrmTrainingConfig) -> dict[str, Any]:
    """Measure and save at the same steps, so that the best weights can be restored."""
    assert config.early_stopping is not None
    every = config.early_stopping.every_steps
    return {
        "eval_strategy": "steps",
        "eval_steps": every,
        "save_steps": every,
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "load_best_model_at_end": True,
        # The number of measurements without a lower loss is restored on resuming.
        "restore_callback_states_from_checkpoint": True,
    }


TRAINER = PrmTrainer
