"""Direct preference optimisation: TRL's DPO trainer on tokenised pairs.

Import it where training starts, not at the top of a module. The reference is a second, frozen
copy of the policy that training starts from; with low-rank additions it is the same model without
them. Deviations from TRL: pairs come as the engines' own token ids; what programs printed in a
solution counts neither for it nor against it.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from trl.trainer.dpo_config import DPOConfig as TrlDpoConfig  # noqa: TID253 - imported late
from trl.trainer.dpo_trainer import DPOTrainer  # noqa: TID253

from schemas.training.dpo import DpoConfig
from schemas.training.recipe import TrainingJob
from tasks.training.models import BaseModel, load_weights
from tasks.training.rows import NO_LOSS, RowEncoder
from tasks.training.trainer import LengthBatchesTrainer, Work, shared_arguments

_WORST_NATS = 5 * math.log(2)
"""Loss per pair that only a policy with a strong preference for the rejected completions exceeds;
no preference costs log 2."""


class DpoTrainer(LengthBatchesTrainer, DPOTrainer):
    """Makes chosen completions more likely than rejected ones."""

    def __init__(self, base: BaseModel, rows: Any, work: Work) -> None:
        config = work.job.recipe
        assert isinstance(config, DpoConfig)
        super().__init__(
            model=base.model,
            ref_model=None if config.lora else load_weights(base.folder),
            args=TrlDpoConfig(
                **shared_arguments(work),
                max_length=None,
                include_num_input_tokens_seen="non_padding",
                beta=config.beta,
                loss_type=["sigmoid", "sft"] if config.sft_weight else ["sigmoid"],
                loss_weights=[1.0, config.sft_weight] if config.sft_weight else None,
            ),
            train_dataset=rows,
            processing_class=base.tokenizer,
        )
        self.data_collator = _OutputsMasked(self.data_collator)
        worst_sft = config.sft_weight * 2 * math.log(base.model.config.get_text_config().vocab_size)
        self.watch(work, worst_loss=_WORST_NATS + worst_sft)

    @classmethod
    def encode_row(
        cls, encode: RowEncoder, row: Mapping[str, Any], job: TrainingJob
    ) -> Mapping[str, Any]:
        """See `MethodTrainer`."""
        return encode.preference_row(row)

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """The pairs unchanged."""
        return dataset


class _OutputsMasked:
    """A collator of TRL's whose completions leave out the tokens that have no label."""

    def __init__(self, collate: Any) -> None:
        self._collate = collate

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        batch = self._collate(examples)
        if "chosen_labels" not in examples[0]:
            return batch
        both = [(each, name) for name in ("chosen", "rejected") for each in examples]
        for line, (example, name) in enumerate(both):
            first = len(example["prompt_ids"])
            for place, label in enumerate(example[f"{name}_labels"], first):
                if label == NO_LOSS:
                    batch["completion_mask"][line, place] = 0
        return batch


TRAINER = DpoTrainer
