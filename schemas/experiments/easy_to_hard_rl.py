"""Learning hard problems by RL from a verifier of easy ones, against imitation and pairs."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import HARD, pass_at_1
from schemas.experiments.relation import Relation
from schemas.loops.easy_to_hard import EasyToHardLoopConfig

_PAPER = "Easy-to-hard generalisation, arXiv:2403.09472"


class EasyToHardRlConfig(ExperimentConfig):
    """PPO, DPO and ReST on hard problems, rewarded by a verifier of easy ones; PPO with answers."""

    name: ClassVar[str] = "easy_to_hard_rl"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#easy-to-hard"
    quick_minutes: ClassVar[float | None] = 4.5
    quick_fields: ClassVar[Mapping[str, Any]] = {
        "loop": {
            **QUICK_LOOP,
            "easy_problems": {"num_problems": 300},
            "ppo": {"minibatches": 1, "warmup_steps": 4},
        }
    }

    loop: EasyToHardLoopConfig = EasyToHardLoopConfig()
    """The loop."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig; all figures are of the hard problems."""
        on_hard = partial(pass_at_1, levels=HARD)
        relation = partial(Relation, paper=_PAPER)
        order = partial(
            relation,
            name="ppo_over_dpo_over_rest",
            claim="from easy supervision PPO beats DPO beats ReST",
            published="PPO > DPO > ReST",
        )
        return (
            order(larger=on_hard("ppo"), smaller=on_hard("dpo"), point="PPO over DPO"),
            order(larger=on_hard("dpo"), smaller=on_hard("rest"), point="DPO over ReST"),
            relation(
                name="easy_rl_over_full_rl",
                claim="RL with easy supervision beats RL with the answers of hard problems",
                published="34.0% for 7B on MATH500, above full supervision",
                larger=on_hard("ppo"),
                smaller=on_hard("full"),
            ),
            relation(
                name="easy_rl_helps_hard",
                claim="RL on a verifier of easy problems improves hard ones",
                published="no figure",
                larger=on_hard("ppo"),
                smaller=on_hard("ppo", "0"),
            ),
        )
