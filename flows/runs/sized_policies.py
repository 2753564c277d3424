"""The policies of an experiment with several sizes: those that exist, and those it pretrains."""

from typing import Any, Protocol

from schemas.base import FrozenConfig
from schemas.engines import VLLMConfig
from schemas.pretraining import PretrainingConfig, SizedPolicyConfig

_MAX_SEQUENCES = 512


class Parts(Protocol):
    """What runs flows as parts of a run."""

    def run(self, part: str, config: FrozenConfig) -> Any:
        """Run the flow that has this config; what it returns."""
        ...


def pretrained(
    parts: Parts, name: str, size: SizedPolicyConfig, recipe: PretrainingConfig
) -> VLLMConfig:
    """The engine of a policy, which is pretrained first unless it exists.

    Args:
        parts: runs the pretraining, in the part `policy-NAME`.
        name: what the size is called.
        size: the policy.
        recipe: how it is pretrained.
    """
    model = size.model
    if model is None:
        made = recipe.with_fields(architecture=size.architecture)
        model = parts.run(f"policy-{name}", made)
    return VLLMConfig(model=model, max_num_seqs=_MAX_SEQUENCES)
