import pytest

from schemas.factory import FactoryConfig


def test_nested_values_keep_the_other_defaults():
    config = FactoryConfig.from_partial({"eval_sampling": {"num_samples": 4}})
    assert config.eval_sampling.num_samples == 4
    assert config.eval_sampling.max_tokens == FactoryConfig().eval_sampling.max_tokens


def test_another_type_starts_from_its_own_defaults():
    config = FactoryConfig.from_partial({"policy": {"type": "markov"}})
    assert config.policy.type == "markov"


def test_every_wrong_field_is_named():
    values = {"eval_sampling": {"num_sample": 4, "temperature": -1}}
    with pytest.raises(ValueError, match=r"eval_sampling.temperature.*eval_sampling.num_sample"):
        FactoryConfig.from_partial(values)


def test_a_verifier_with_another_separator_than_the_prompt_is_refused():
    with pytest.raises(ValueError, match=r"training.separator: expected .*, got"):
        FactoryConfig.from_partial({"prompt": {"separator": "\n\n"}})


def test_how_work_is_spread_does_not_change_the_hash():
    spread = FactoryConfig.from_partial({"pool": {"num_actors": 9}})
    assert spread.config_hash() == FactoryConfig().config_hash()
    assert FactoryConfig.from_partial({"seed": 1}).config_hash() != spread.config_hash()


def test_a_part_of_a_nested_config_means_the_same_wherever_it_is_checked():
    """Also where Prefect makes the config from a flow's parameters, and where Python code does."""
    values = {"eval_sampling": {"num_samples": 4}, "prm_training": {"max_steps": 6}}
    config = FactoryConfig.model_validate(values)
    assert config == FactoryConfig.from_partial(values)
    assert config.prm_training.base_model == FactoryConfig().prm_training.base_model
    assert FactoryConfig.model_validate(config.model_dump()) == config


def test_a_part_without_type_belongs_to_the_default_of_its_field():
    config = FactoryConfig.from_partial({"labels": {"num_rollouts": 3}})
    assert config.labels.type == "monte_carlo"
    with pytest.raises(ValueError, match=r"grader.ignore_case"):
        FactoryConfig.from_partial({"grader": {"ignore_case": True}})
