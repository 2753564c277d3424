from typing import Any

import pytest

from schemas.engines import OpenAIConfig, ScoringRequest, ServerConfig, VLLMConfig
from schemas.pool import PoolConfig
from schemas.sampling import SamplingJob
from tasks.engines.engine_set import EngineSet

URL = "http://localhost:8000/v1"


def job(**server: Any) -> SamplingJob:
    policy = {"type": "openai", "model": "acme/solver", "server": {"base_url": URL, **server}}
    return SamplingJob.from_partial({"problems": {"type": "world"}, "policy": policy})


def test_where_a_model_is_served_does_not_count_in_the_hash() -> None:
    elsewhere = job(base_url="https://example.org/v1/", max_in_flight=8, retry_timeout_s=5)
    assert elsewhere.config_hash() == job().config_hash()
    assert elsewhere.policy.config_hash() == job().policy.config_hash()
    assert elsewhere.with_fields(seed=1).config_hash() != job().config_hash()


@pytest.mark.parametrize("change", [{"model": "other"}, {"revision": "b"}, {"api": "chat"}])
def test_what_is_served_counts_in_the_hash(change: dict[str, str]) -> None:
    policy = job().policy
    other = job().with_fields(policy=policy.with_fields(**change))
    assert other.config_hash() != job().config_hash()


def test_the_address_is_kept_without_its_last_slash() -> None:
    assert ServerConfig(base_url=URL + "/").base_url == URL


@pytest.mark.parametrize(
    "url", ["localhost:8000/v1", "ftp://host/v1", "http://me:secret@host/v1", f"{URL}?key=secret"]
)
def test_an_address_without_scheme_or_with_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base_url"):
        OpenAIConfig(model="m", server=ServerConfig(base_url=url))


def test_a_key_in_place_of_its_variables_name_is_refused() -> None:
    with pytest.raises(ValueError, match="api_key_env"):
        job(api_key_env="sk-0123456789abcdef")


@pytest.mark.parametrize("num_known", [-1, 2, 3])
def test_known_scores_leave_at_least_one_step_to_score(num_known: int) -> None:
    with pytest.raises(ValueError, match=f"num_known: expected 0 to 1, .* got {num_known}"):
        ScoringRequest(prompt="p", steps=("1\n", "2\n"), num_known=num_known)


def test_limits_of_waiting_are_read_under_their_older_name():
    old = {"base_url": "http://localhost:8000/v1", "patience_s": 5}
    assert ServerConfig.model_validate(old).retry_timeout_s == 5
    assert PoolConfig.model_validate({"patience_s": 7}).timeout_s == 7


def test_equal_configs_have_equal_hashes_whatever_their_fields_hold() -> None:
    one = VLLMConfig(model="m", engine_arguments={"quantization": "fp8", "block_size": 16})
    other = VLLMConfig(model="m", engine_arguments={"block_size": 16, "quantization": "fp8"})
    assert one == other
    assert hash(one) == hash(other)
    assert hash(VLLMConfig(model="m")) != hash(one)
    assert EngineSet(separator="\n", policy=one) in {EngineSet(separator="\n", policy=other): 0}
