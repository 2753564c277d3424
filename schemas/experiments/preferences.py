"""Rounds of DPO on a policy's own right and wrong solutions against imitation of the right ones."""

from collections.abc import Mapping
from typing import Any, ClassVar

from schemas.experiments.experiment import QUICK_LOOP, ExperimentConfig, Subject
from schemas.experiments.loop_figures import pass_at_1
from schemas.experiments.relation import Relation
from schemas.loops import DpoRoundsConfig
from schemas.policy_training import DpoConfig

_PAPER = "iterative RPO, arXiv:2404.19733"


class PreferencesConfig(ExperimentConfig):
    """DPO alone, and with a share of imitation, against imitation of the same pool."""

    name: ClassVar[str] = "preferences"
    subject: ClassVar[Subject] = "Self-improvement"
    details: ClassVar[str] = "loops.md#preferences-and-v-star-against-imitation"
    quick_fields: ClassVar[Mapping[str, Any]] = {"alone": QUICK_LOOP, "mixed": QUICK_LOOP}

    alone: DpoRoundsConfig = DpoRoundsConfig(
        rounds=1, training=DpoConfig(epochs=1, hidden_lr=5e-4, sft_weight=0.0)
    )
    """DPO without imitation."""
    mixed: DpoRoundsConfig = DpoRoundsConfig(
        rounds=1,
        training=DpoConfig(epochs=2, hidden_lr=2e-3, sft_weight=5.0),
        with_control=False,
    )
    """DPO with imitation in the loss."""

    def relations(self) -> tuple[Relation, ...]:
        """See ExperimentConfig."""
        imitation = pass_at_1("sft", "1", part="alone")
        return tuple(
            Relation(
                name="preferences_win",
                claim="rounds of preference training beat imitation",
                paper=_PAPER,
                published="no figure",
                larger=pass_at_1("dpo", "1", part=part, label=f"pass@1 of {words}"),
                smaller=imitation,
                point=words,
            )
            for part, words in (("alone", "DPO alone"), ("mixed", "DPO with imitation"))
        )
