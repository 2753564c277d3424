"""Mistakes in a config are named as the caller wrote them."""

import re

import pytest

from schemas.factory import FactoryConfig
from schemas.sampling import SamplingJob
from schemas.search import SearchJob


@pytest.mark.parametrize(
    ("config_class", "values", "message"),
    [
        (FactoryConfig, {"sed": 1}, "sed: no such field, expected one of seed, policy, prompt, "),
        (
            FactoryConfig,
            {"eval_sampling": {"samples": 1}},
            "eval_sampling.samples: no such field, expected one of num_samples, temperature, ",
        ),
        (
            FactoryConfig,
            {"policy": {"modell": "m"}},
            "policy.modell: no such field, expected one of model, max_model_len, ",
        ),
        (
            FactoryConfig,
            {"policy": {"type": "openai", "model": "m", "server": {"url": "u"}}},
            "policy.server.base_url: expected a value, got none; policy.server.url: no such ",
        ),
        (
            FactoryConfig,
            {"eval_sampling": {"top_p": 3}},
            "eval_sampling.top_p: expected at most 1, got 3",
        ),
        (
            SamplingJob,
            {},
            "problems: expected a value, got none; policy: expected a value, got none",
        ),
    ],
)
def test_a_mistake_is_named_where_it_was_written(config_class, values, message):
    with pytest.raises(ValueError, match=re.escape(f"{config_class.__name__}: {message}")):
        config_class.from_partial(values)


def test_a_mistake_over_several_fields_says_what_it_is_and_not_the_whole_config():
    with pytest.raises(ValueError, match=r"training.separator: expected '\\n'.*got 'x'$") as caught:
        FactoryConfig.from_partial({"prm_training": {"base_model": "m", "separator": "x"}})
    assert len(str(caught.value)) < 150


def test_a_list_that_lacks_what_is_wrong_in_it_is_no_second_mistake():
    with pytest.raises(
        ValueError, match=r"strategies\.0: expected a known `type`.*did you mean beam"
    ) as caught:
        SearchJob.from_partial({"strategies": [{"type": "bean"}]})
    assert "at least 1" not in str(caught.value)
    with pytest.raises(ValueError, match=r"strategies: expected at least 1 in the list"):
        SearchJob.from_partial({"strategies": []})


@pytest.mark.parametrize(
    ("config_class", "values", "message"),
    [
        (
            SearchJob,
            {"strategies": [{"type": "beam"}, {"type": "beam", "widht": 3}]},
            "strategies.1.widht: no such field, expected one of width, ",
        ),
        (
            SearchJob,
            {"strategies": [{"width": 3}]},
            "strategies.0: expected a `type`, one of majority, best_of_n, ",
        ),
        (SearchJob, {"strategies": "beam"}, "strategies: expected a list, got 'beam'"),
        (SearchJob, {"strategies": ["beam"]}, "strategies.0: expected fields with values, got "),
        (SearchJob, {"budgets": ["a"]}, "budgets.0: expected a whole number, got 'a'"),
        (SearchJob, {"budgets": [0]}, "budgets.0: expected at least 1, got 0"),
        (SamplingJob, {"policy": 7}, "policy: expected fields with values, got 7"),
        (FactoryConfig, {"eval_sampling": 7}, "eval_sampling: expected fields with values, got 7"),
        (
            FactoryConfig,
            {"eval_sampling": {"num_samples": 1.5}},
            "eval_sampling.num_samples: expected a whole number, got 1.5",
        ),
        (
            FactoryConfig,
            {"evaluation": {"reductions": ["max"]}},
            "evaluation.reductions.0: expected 'min', 'prod', 'last' or 'mean', got 'max'",
        ),
        (
            FactoryConfig,
            {"evaluation": {"coverage_law": "perhaps"}},
            "evaluation.coverage_law: expected true or false, got 'perhaps'",
        ),
        (
            FactoryConfig,
            {"eval_sampling": {"temperature": float("inf")}},
            "eval_sampling.temperature: expected a finite number, got inf",
        ),
        (
            FactoryConfig,
            {"eval_sampling": {"temperature": float("nan")}},
            "eval_sampling.temperature: expected a finite number, got nan",
        ),
        (
            FactoryConfig,
            {"eval_sampling": {"num_samples": 10**30}},
            "eval_sampling: num_samples: expected less than 2^63, got 1000000000000",
        ),
    ],
)
def test_no_message_is_in_the_words_of_a_library(config_class, values, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        config_class.from_partial(values)
    assert "Input should" not in str(caught.value)


def test_engines_for_tests_are_accepted_and_not_offered():
    with pytest.raises(
        ValueError, match="one of vllm, openai, got 'vlm'; did you mean vllm"
    ) as got:
        FactoryConfig.from_partial({"policy": {"type": "vlm", "model": "x"}})
    assert "markov" not in str(got.value)
    assert FactoryConfig.from_partial({"policy": {"type": "markov"}}).policy.type == "markov"
