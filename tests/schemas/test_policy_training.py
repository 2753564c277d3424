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
        ({"type": "grpo", "group_size": 1}, "at least 2"),
        ({"type": "sft", "beta": 0.1}, "beta"),
        ({"type": "trpo"}, "trpo"),
        ({"type": "grpo", "clip_high": 0.1}, "clip_high: expected at least clip=0.2, got 0.1"),
        (
            {"type": "grpo", "batch_size": 8, "num_workers": 2, "max_redraws": 1},
            "max_redraws: expected 0 .* 8 solutions are shared by workers with 4 each, got 1",
        ),
        (
            {"type": "rloo", "max_new_tokens": 64, "overlong_buffer": 65},
            "overlong_buffer: expected at most max_new_tokens=64, got 65",
        ),
        ({"type": "ppo", "group_size": 3}, "multiple of group_size=3, got 128"),
        ({"type": "ppo", "reward": {"type": "grade", "right": float("inf")}}, "finite number"),
        ({"type": "ppo", "sharding": "full", "num_workers": 2}, "expected none with ppo"),
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


def test_new_options_leave_the_identity_of_older_configs():
    options = {"clip_high": None, "max_redraws": 0, "overlong_buffer": None, "overlong_penalty": 1}
    assert job(type="grpo", **options).config_hash() == job(type="grpo").config_hash()
    assert job(type="grpo").method.config_hash() == "e104c913e507"
    for changed in ({"clip_high": 0.28}, {"max_redraws": 2}, {"overlong_buffer": 16}):
        assert job(type="grpo", **changed).config_hash() != job(type="grpo").config_hash()


def test_another_recipe_is_another_config():
    assert job(type="sft").config_hash() != job(type="sft", seed=1).config_hash()


def test_a_method_is_found_by_the_name_of_its_config():
    for name, config in METHODS.items():
        assert config.model_fields["type"].default == name
