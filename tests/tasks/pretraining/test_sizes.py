import shutil

import pytest

from schemas.engines import SHIPPED_POLICY
from schemas.errors import ModelUnusable
from schemas.experiments.model_sizes import ModelSizesConfig
from schemas.experiments.weak_to_strong import WeakToStrongConfig
from schemas.pretraining import LARGE, MEDIUM, SIZES, SMALL, ArchitectureConfig, SizedPolicyConfig
from tasks.models.folders import resolve_model
from tasks.pretraining.sizes import check_sizes
from tasks.pretraining.train import new_model
from tasks.world.tokenizer import build_tokenizer

SHIPPED = SizedPolicyConfig(model=SHIPPED_POLICY)


@pytest.mark.parametrize(
    "architecture",
    [*SIZES.values(), ArchitectureConfig(hidden_size=24, num_layers=3, num_heads=2, mlp_size=40)],
)
def test_parameters_are_those_of_the_model(architecture):
    tokenizer = build_tokenizer()
    model = new_model(architecture, tokenizer, seed=0)
    counted = sum(parameter.numel() for parameter in model.parameters())
    assert architecture.num_parameters(len(tokenizer)) == counted


def test_the_shipped_policy_is_the_medium_size():
    sizes = {
        "small": SizedPolicyConfig(architecture=SMALL),
        "medium": SHIPPED,
        "large": SizedPolicyConfig(architecture=LARGE),
    }
    found = check_sizes(sizes)
    assert found["medium"] == 742_016 == MEDIUM.num_parameters(len(build_tokenizer()))
    assert found["small"] < found["medium"] < found["large"]


def test_a_ceiling_that_is_not_larger_than_the_weak_model_is_refused():
    weak = SizedPolicyConfig(architecture=LARGE)
    with pytest.raises(ValueError, match="strong: expected more than the 2,342,592"):
        check_sizes({"weak": weak, "strong": SHIPPED})
    with pytest.raises(ValueError, match="strong: expected more than the 742,016 parameters"):
        check_sizes({"weak": SHIPPED, "strong": SHIPPED})


def test_another_tokenizer_is_refused(tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(resolve_model(SHIPPED_POLICY), folder)
    file = folder / "tokenizer.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"shells"', '"sheIIs"'))
    small = SizedPolicyConfig(architecture=SMALL)
    with pytest.raises(ValueError, match="strong: expected the tokenizer of weak, got one that"):
        check_sizes({"weak": small, "strong": SizedPolicyConfig(model=str(folder))})


def test_heads_that_vllm_does_not_serve_are_refused_before_they_are_trained():
    odd = ArchitectureConfig(hidden_size=48, num_layers=1, num_heads=2, mlp_size=64)
    with pytest.raises(ValueError, match="weak: expected hidden_size / num_heads to be one of 32"):
        check_sizes({"weak": SizedPolicyConfig(architecture=odd), "strong": SHIPPED})


@pytest.mark.parametrize("config", [ModelSizesConfig, WeakToStrongConfig])
@pytest.mark.parametrize("size", ["quick", "whole"])
def test_the_sizes_of_the_experiments_can_be_compared(config, size):
    made = config.from_partial({"size": size})
    if isinstance(made, WeakToStrongConfig):
        check_sizes({"weak": made.weak, "strong": made.strong})
    else:
        check_sizes(made.sizes)


def test_one_size_and_a_model_that_does_not_exist_are_refused(tmp_path):
    with pytest.raises(ValueError, match="at least two sizes, got weak"):
        check_sizes({"weak": SHIPPED})
    gone = SizedPolicyConfig(model=str(tmp_path / "gone"))
    with pytest.raises(ModelUnusable, match="does not exist"):
        check_sizes({"weak": gone, "strong": SHIPPED})
