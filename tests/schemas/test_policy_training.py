import pytest

from schemas.policy_training import GrpoConfig, PolicyTrainingJob, SftConfig
from schemas.training.methods import METHODS


def job(**method):
    return PolicyTrainingJob.from_partial(
        {"policy": {"model": "world-policy"}, "training_set": "mine", "method": method}
    )


@pytest.mark.parametrize("type", [name for name, each in METHODS.items() if each.role == "policy"])
def test_every_method_has_defaults(type):
    assert job(type=type).method.type == type


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"type": "sft", "num_workers": 3}, "batch_size: .*multiple of num_workers=3, got 16"),
        ({"type": "sft", "micro_batch_size": 5}, "micro_batch_size: .*divisor of 16"),
        ({"type": "sft", "lora": {}}, "expected adamw with lora, got muon"),
        ({"type": "grpo", "batch_size": 12}, "batch_size: .*multiple of group_size=8, got 12"),
        ({"type": "grpo", "group_size": 1}, "greater than or equal to 2"),
        ({"type": "sft", "beta": 0.1}, "beta"),
        ({"type": "ppo"}, "ppo"),
        (
            {"type": "grpo", "sharding": "full", "num_workers": 2},
            "sharding: expected none with grpo",
        ),
        ({"type": "sft", "sharding": "full"}, "sharding: expected num_workers of at least 2"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(method, message):
    with pytest.raises(ValueError, match=message):
        job(**method)


def test_a_part_of_a_recipe_keeps_the_rest():
    assert job(type="sft", epochs=3).method == SftConfig(epochs=3)
    made = job(type="grpo", reward={"type": "grade", "parsable": 0.5}).method
    assert isinstance(made, GrpoConfig)
    assert made.reward.model_dump() == {
        "type": "grade",
        "right": 1.0,
        "parsable": 0.5,
        "neither": 0.0,
    }


def test_another_recipe_is_another_config():
    assert job(type="sft").config_hash() != job(type="sft", seed=1).config_hash()


def test_a_method_is_found_by_the_name_of_its_config():
    for name, config in METHODS.items():
        assert config.model_fields["type"].default == name
