import pytest

from schemas.experiments.model_sizes import ModelSizesConfig
from schemas.experiments.weak_to_strong import WeakToStrongConfig


@pytest.mark.parametrize("config", [ModelSizesConfig, WeakToStrongConfig])
def test_the_quick_size_is_smaller_and_measures_the_same_claims(config):
    quick, whole = config.from_partial({"size": "quick"}), config()
    assert quick.pretraining.num_tokens < whole.pretraining.num_tokens
    assert quick.eval_problems.num_problems < whole.eval_problems.num_problems
    claims = [{each.name for each in size.relations()} for size in (quick, whole)]
    assert claims[0] == claims[1]
    for size in (quick, whole):
        keys = [(each.name, each.point) for each in size.relations()]
        assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("config", "given", "words"),
    [
        (ModelSizesConfig, {"sizes": {"one": {}}}, "sizes: expected at least two, got one"),
        (ModelSizesConfig, {"sizes": {}}, "sizes: expected at least two, got none"),
        (
            ModelSizesConfig,
            {"strategies": [{"type": "beam"}]},
            "strategies: expected best_of_n among them, got beam",
        ),
        (ModelSizesConfig, {"solver": "huge"}, "solver: expected one of small, medium, large, got"),
        (ModelSizesConfig, {"budgets": [4, 2]}, "expected increasing values, got"),
        (ModelSizesConfig, {"budgets": [4, 6]}, "6"),
        (ModelSizesConfig, {"inference_shares": [0.0]}, "more than 0|above 0|> 0"),
        (WeakToStrongConfig, {"learners": []}, "learners"),
        (WeakToStrongConfig, {"learners": ["policy", "policy"]}, "expected distinct learners"),
        (WeakToStrongConfig, {"confidence": {"weight": 0}}, "weight"),
    ],
)
def test_what_cannot_be_measured_is_refused(config, given, words):
    with pytest.raises(ValueError, match=words):
        config.from_partial(given)


def test_without_a_policy_no_policy_is_compared():
    config = WeakToStrongConfig(learners=("verifier",))
    assert {each.point for each in config.relations()} == {
        "steps that verifiers call right or wrong as they are",
        "answers that verifiers call right or wrong as they are",
        "best of all samples by verifiers",
    }
