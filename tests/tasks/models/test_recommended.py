"""The sampling parameters that a model's generation_config.json recommends."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.runs.asking import asked_lines
from schemas.engines import SHIPPED_POLICY, MarkovConfig, OpenAIConfig, VLLMConfig
from schemas.prompts import PlainPromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import SearchLimits
from schemas.step_labels import MonteCarloConfig
from tasks.models.recommended import with_recommended

QWEN = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95, "eos_token_id": [1, 2]}


def model(folder: Path, recommended: Any) -> VLLMConfig:
    folder.mkdir(exist_ok=True)
    (folder / "generation_config.json").write_text(json.dumps(recommended))
    return VLLMConfig(model=str(folder))


@pytest.mark.parametrize("config_class", [SamplingConfig, SearchLimits, MonteCarloConfig])
def test_only_the_named_parameters_are_taken_from_the_model(
    config_class: Any, tmp_path: Path
) -> None:
    engine = model(tmp_path, QWEN)
    asked = config_class(min_p=0.05, from_model=("temperature", "top_k", "repetition_penalty"))
    found = with_recommended(asked, engine)
    assert found == config_class(min_p=0.05, temperature=0.6, top_k=20)
    assert (found.top_p, found.repetition_penalty) == (1.0, 1.0)
    assert with_recommended(config_class(), engine) == config_class()
    assert asked.config_hash() != config_class(min_p=0.05).config_hash()


def test_a_model_that_recommends_nothing_changes_nothing(tmp_path: Path) -> None:
    asked = SamplingConfig(from_model=("temperature", "top_k"))
    for engine in (VLLMConfig(model=SHIPPED_POLICY), model(tmp_path, {"top_k": 0})):
        assert with_recommended(asked, engine) == SamplingConfig()


def test_a_parameter_has_one_source() -> None:
    with pytest.raises(ValueError, match=r"top_k: expected no value beside from_model.* got 5"):
        SamplingConfig(top_k=5, from_model=("top_k",))


def test_recommendations_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    asked = SamplingConfig(from_model=("top_p",))
    with pytest.raises(ValueError, match=r"generation_config\.json: top_p"):
        with_recommended(asked, model(tmp_path, {"top_p": 1.5}))
    with pytest.raises(ValueError, match="expected an object, got list"):
        with_recommended(asked, model(tmp_path, []))
    (tmp_path / "generation_config.json").write_text("{")
    with pytest.raises(ValueError, match="expected JSON"):
        with_recommended(asked, VLLMConfig(model=str(tmp_path)))
    served = OpenAIConfig.model_validate({"model": "m", "server": {"base_url": "http://h/v1"}})
    for engine, said in ((MarkovConfig(), "got type markov"), (served, r"set policy\.tokenizer")):
        with pytest.raises(ValueError, match=said):
            with_recommended(asked, engine)


def test_what_a_run_does_not_say_itself_is_shown(tmp_path: Path) -> None:
    job = SamplingJob.from_partial(
        {
            "problems": {"type": "world"},
            "policy": model(tmp_path, QWEN).model_dump(),
            "prompt": PlainPromptConfig(template="Q: {question}\nA:").model_dump(),
            "sampling": {"from_model": ["temperature", "top_k"]},
        }
    )
    assert asked_lines(job) == [
        "prompt.stop: '\\nQ:'",
        "sampling: temperature=0.6, top_k=20 (generation_config.json of the policy)",
    ]
    named = job.with_fields(sampling=SamplingConfig(stop=("Q:", "END")))
    assert asked_lines(named)[1:] == [
        "sampling.stop: 'Q:' is in the prompt, too; it ends only what is written"
    ]
    plain = job.with_fields(prompt=PlainPromptConfig(), sampling=SamplingConfig())
    assert asked_lines(plain) == []
