"""Supervised fine-tuning: TRL's SFT trainer on tokenised rows.

Import it where training starts, not at the top of a module. Deviations from TRL: rows come as the
engines' own token ids, a row's weight scales the loss of its completion's tokens, and packing
concatenates the rows of a micro-batch, so that the loss stays the same.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch  # noqa: TID253 - this module is imported where training starts
from trl.trainer.sft_config import SFTConfig as TrlSftConfig  # noqa: TID253
from trl.trainer.sft_trainer import SFTTrainer  # noqa: TID253

from schemas.training.recipe import TrainingJob
from schemas.training.sft import ImitationRecipe, SftConfig
from tasks.training.common import pad_token_id
from tasks.training.confidence import mix_token_losses
from tasks.training.models import BaseModel
from tasks.training.rows import NO_LOSS, RowEncoder
from tasks.training.trainer import LengthBatchesTrainer, Work, shared_arguments

TokenLosses = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class SftTrainer(LengthBatchesTrainer, SFTTrainer):
    """Raises the likelihood of completions.

    Subclasses may have another `token_losses`, and then another `worst_token_loss`.
    """

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        config = work.job.recipe
        assert isinstance(config, ImitationRecipe)
        self._token_weights: torch.Tensor | None = None
        mean_tokens = _mean_tokens(rows) if config.average == "rows" else None
        super().__init__(
            model=base.model,
            args=TrlSftConfig(
                **shared_arguments(work),
                max_length=None,
                # Packed rows have no attention mask to count by, but no padding either.
                include_num_input_tokens_seen="all" if config.packing else "non_padding",
                dataset_kwargs={"skip_prepare_dataset": True},
                loss_type="nll",
            ),
            data_collator=partial(
                collate,
                pad_token_id=pad_token_id(base.tokenizer),
                packing=config.packing,
                mean_tokens=mean_tokens,
            ),
            train_dataset=rows,
            processing_class=base.tokenizer,
            compute_loss_func=self._weighted_loss,
        )
        vocab_size = base.model.config.get_text_config().vocab_size
        heaviest = max(1.0, *(_token_weight(row, mean_tokens) for row in rows))
        self.watch(work, worst_loss=heaviest * self.worst_token_loss(vocab_size))

    @classmethod
    def encode_row(
        cls, encode: RowEncoder, row: Mapping[str, Any], job: TrainingJob
    ) -> Mapping[str, Any]:
        """See `MethodTrainer`."""
        return encode.completion_row(row)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """The loss of one micro-batch, with the model's output on request."""
        self._token_weights = inputs.pop("token_weights")
        return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)

    def _weighted_loss(
        self, outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None
    ) -> torch.Tensor:
        assert self._token_weights is not None
        return completion_loss(
            outputs.logits,
            labels,
            self._token_weights,
            num_items_in_batch,
            token_losses=self.token_losses,
        )

    def token_losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The loss of each token, 0 where its target is NO_LOSS.

        Args:
            logits: [num_tokens, vocabulary].
            targets: [num_tokens].
        """
        losses = cross_entropies(logits, targets)
        config = self.work.job.recipe
        if not isinstance(config, SftConfig) or config.confidence is None:
            return losses
        weight = config.confidence.weight_at(self.progress)
        return mix_token_losses(logits, losses, targets, weight, none=NO_LOSS)

    def worst_token_loss(self, vocab_size: int) -> float:
        """The mean loss per token above which the model is taken for useless.

        Uniform guessing costs log(vocabulary) nats per token.
        """
        return math.log(vocab_size) + 1


def cross_entropies(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The cross entropy of each token, 0 where its target is NO_LOSS."""
    return torch.nn.functional.cross_entropy(
        logits, targets, ignore_index=NO_LOSS, reduction="none"
    )


def completion_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    num_tokens: Any,
    *,
    token_losses: TokenLosses = cross_entropies,
) -> torch.Tensor:
    """The weighted loss of the labelled tokens, per token of the whole batch.

    Args:
        logits: [num_rows, length, vocabulary]; those at a position predict the next token.
        labels: [num_rows, length], NO_LOSS where there is none.
        weights: [num_rows, length].
        num_tokens: labelled tokens of all micro-batches and workers; None to count those given.
        token_losses: from the logits and targets of tokens to a loss each.
    """
    targets = labels[:, 1:]
    losses = token_losses(logits[:, :-1].float().flatten(0, 1), targets.flatten())
    if num_tokens is None:
        num_tokens = (targets != NO_LOSS).sum()
    return (losses * weights[:, 1:].flatten()).sum() / num_tokens


def _mean_tokens(rows: Any) -> float:
    """The mean number of labelled tokens of a row."""
    counts = [_num_labelled(labels) for labels in rows["labels"]]
    return sum(counts) / max(len(counts), 1)


def _num_labelled(labels: Sequence[int]) -> int:
    return sum(label != NO_LOSS for label in labels)


def _token_weight(row: Mapping[str, Any], mean_tokens: float | None) -> float:
    """The weight of each token of a row."""
    if mean_tokens is None:
        return row["weight"]
    return row["weight"] * mean_tokens / max(_num_labelled(row["labels"]), 1)


def collate(
    rows: Sequence[Mapping[str, Any]],
    *,
    pad_token_id: int,
    packing: bool = False,
    mean_tokens: float | None = None,
) -> dict[str, torch.Tensor]:
    """Rows as one batch: padded on the right, or packed into one sequence.

    In a packed sequence positions restart with each row; transformers then keeps each row's
    attention to itself, and the first token of a row, which nothing predicts, has no label.

    Args:
        rows: encoded rows with their weights.
        pad_token_id: fills a line up.
        packing: whether they become one sequence.
        mean_tokens: labelled tokens of the set's mean row, by which rows count alike; None if
            tokens do.

    Returns:
        `input_ids`, `labels`, `token_weights`, and `attention_mask` or, packed, `position_ids`.
    """
    if packing:
        ids = [token for row in rows for token in row["input_ids"]]
        labels = [label for row in rows for label in (NO_LOSS, *row["labels"][1:])]
        weights = [_token_weight(row, mean_tokens) for row in rows for _ in row["input_ids"]]
        positions = [index for row in rows for index in range(len(row["input_ids"]))]
        return {
            "input_ids": torch.tensor([ids]),
            "labels": torch.tensor([labels]),
            "token_weights": torch.tensor([weights]),
            "position_ids": torch.tensor([positions]),
        }
    width = max(len(row["input_ids"]) for row in rows)
    batch = {
        "input_ids": torch.full((len(rows), width), pad_token_id),
        "labels": torch.full((len(rows), width), NO_LOSS),
        "attention_mask": torch.zeros((len(rows), width), dtype=torch.long),
        "token_weights": torch.zeros((len(rows), width)),
    }
    for line, row in enumerate(rows):
        length = len(row["input_ids"])
        batch["input_ids"][line, :length] = torch.tensor(row["input_ids"])
        batch["labels"][line, :length] = torch.tensor(row["labels"])
        batch["attention_mask"][line, :length] = 1
        batch["token_weights"][line, :length] = _token_weight(row, mean_tokens)
    return batch


TRAINER = SftTrainer
