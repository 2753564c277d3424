"""Preferences: TRL's DPO trainer on pairs that are tokenised already.

Import it where training starts, not at the top of a module. The reference is a second, frozen
copy of the policy that training starts from; with low-rank additions it is the same model without
them. Deviation from TRL: pairs come as the engines' own token ids.
"""

import math
from pathlib import Path
from typing import Any

from trl.trainer.dpo_config import DPOConfig as TrlDpoConfig  # noqa: TID253 - imported late
from trl.trainer.dpo_trainer import DPOTrainer  # noqa: TID253

from schemas.policy_training import DpoConfig
from tasks.policy_training.model import BasePolicy, load_weights
from tasks.policy_training.trainer import LengthBatchesTrainer, Report, shared_arguments
from tasks.training.common import LOG_EVERY_STEPS

_WORST_NATS = 5 * math.log(2)
"""Loss per pair that nobody comes to who does not prefer the rejected one by far; chance costs
log 2."""


class PreferenceTrainer(LengthBatchesTrainer, DPOTrainer):
    """Makes chosen completions likelier than rejected ones."""

    def __init__(
        self,
        base: BasePolicy,
        rows: Any,
        config: DpoConfig,
        *,
        work_dir: Path,
        num_workers: int,
        report: Report,
    ) -> None:
        arguments = shared_arguments(
            config, work_dir, num_workers=num_workers, log_every=LOG_EVERY_STEPS
        )
        super().__init__(
            model=base.model,
            ref_model=None if config.lora else load_weights(base.folder),
            args=TrlDpoConfig(
                **arguments,
                max_length=None,
                include_num_input_tokens_seen="non_padding",
                beta=config.beta,
                loss_type=["sigmoid", "sft"] if config.sft_weight else ["sigmoid"],
                loss_weights=[1.0, config.sft_weight] if config.sft_weight else None,
            ),
            train_dataset=rows,
            processing_class=base.tokenizer,
        )
        worst_sft = config.sft_weight * 2 * math.log(base.model.config.get_text_config().vocab_size)
        self.watch(config, report, worst_loss=_WORST_NATS + worst_sft)

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """The pairs as they are."""
        return dataset
