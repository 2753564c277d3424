"""Models that do not fit together are refused by their files."""

import json
import shutil

import pytest

from schemas.errors import ModelUnusable
from schemas.training.methods import METHODS
from tasks.models.folders import load_tokenizer
from tasks.training.checks import check_models
from tasks.training.task import check_job


@pytest.fixture
def other_tokenizer(toy_base, tmp_path):
    """The toy model with a tokenizer that has another end of text."""
    folder = tmp_path / "other-tokenizer"
    shutil.copytree(toy_base, folder)
    tokenizer = load_tokenizer(folder)
    tokenizer.eos_token = "<s>"
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reference_has_the_policys_architecture_and_tokenizer(
    make_job, make_set, start_states, store, toy_base, other_tokenizer, tmp_path
):
    training_set = make_set(start_states)

    def job(reference, policy=toy_base):
        made = make_job(training_set, "ppo", reference=str(reference), max_length=64)
        return made.with_fields(policy={"type": "vllm", "model": str(policy)})

    check_job(store, job(toy_base), str(training_set))
    larger = tmp_path / "larger"
    shutil.copytree(toy_base, larger)
    config = json.loads((larger / "config.json").read_text())
    (larger / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(ModelUnusable, match=r"architecture .* num_hidden_layers 1, got 2"):
        check_job(store, job(larger), str(training_set))
    (larger / "config.json").write_text(
        json.dumps({**config, "architectures": ["Qwen2ForCausalLM"]})
    )
    with pytest.raises(ModelUnusable, match=r"architectures \['LlamaForCausalLM'\], got \['Qwen2"):
        check_job(store, job(larger), str(training_set))
    with pytest.raises(ModelUnusable, match=r"method.reference .*: expected the tokenizer"):
        check_job(store, job(other_tokenizer), str(training_set))
    with pytest.raises(ModelUnusable, match="expected a folder"):
        check_job(store, job(tmp_path / "nothing"), str(training_set))


@pytest.mark.parametrize("method", ["ppo", "rloo", "grpo"])
def test_a_verifier_that_rewards_tokens_has_the_policys_tokenizer(
    method, make_job, toy_base, other_tokenizer, tmp_path
):
    def job(verifier):
        reward = {"type": "verifier", "verifier": {"type": "vllm", "model": str(verifier)}}
        made = make_job(tmp_path, method, batch_size=8, reward=reward)
        return made.with_fields(policy={"type": "vllm", "model": str(toy_base)})

    check_models(job(toy_base))
    if METHODS[method].shares_tokens:  # type: ignore[attr-defined]
        with pytest.raises(ModelUnusable, match=r"method.reward.verifier .*: expected the tokeniz"):
            check_models(job(other_tokenizer))
    else:
        check_models(job(other_tokenizer))


@pytest.mark.parametrize("method", ["ppo", "rloo", "grpo"])
def test_a_reward_model_whose_attention_is_read_fits_the_policy(
    method, make_job, toy_base, toy_reward_model, tmp_path
):
    def job(verifier):
        reward = {"type": "attention", "verifier": {"model": str(verifier)}}
        return make_job(tmp_path, method, batch_size=8, reward=reward)

    check_models(job(toy_reward_model))
    other = tmp_path / "other"
    shutil.copytree(toy_reward_model, other)
    tokenizer = load_tokenizer(other)
    tokenizer.add_tokens(["<new>"])
    tokenizer.save_pretrained(other)
    with pytest.raises(ModelUnusable, match="expected the tokenizer of the policy"):
        check_models(job(other))
    with pytest.raises(ModelUnusable, match="how a language model is read must be named"):
        check_models(job(toy_base))


def test_methods_that_draw_nothing_are_not_checked(make_job, tmp_path):
    check_models(make_job(tmp_path, "sft"))
