"""Trainings start from whole weights, not from a model with an adapter."""

import pytest

from schemas.loops import RestEmLoopConfig
from schemas.policy_training import PolicyTrainingJob

ADAPTED = {"type": "vllm", "model": "world-policy", "lora": "adapters/terse"}


def test_trainings_refuse_an_adapter() -> None:
    with pytest.raises(ValueError, match=r"policy\.lora: expected none.*merge the adapter"):
        PolicyTrainingJob.from_partial({"policy": ADAPTED, "training_set": "t"})
    with pytest.raises(ValueError, match=r"policy\.lora: expected none.*merge the adapter"):
        RestEmLoopConfig.from_partial({"policy": ADAPTED})
