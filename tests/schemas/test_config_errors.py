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
        (FactoryConfig, {"eval_sampling": {"top_p": 3}}, "eval_sampling.top_p: Input should be "),
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
    with pytest.raises(ValueError, match=r"strategies\.0: Input tag 'bean'") as caught:
        SearchJob.from_partial({"strategies": [{"type": "bean"}]})
    assert "at least 1 item" not in str(caught.value)
    with pytest.raises(ValueError, match=r"strategies: .*at least 1 item"):
        SearchJob.from_partial({"strategies": []})
