"""R and attention of a reward model, against transformers' own forward pass."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from schemas.errors import ModelUnusable
from schemas.training.rewards import RewardModelConfig
from tasks.verifiers.layout import Encoder, lay_out
from tasks.verifiers.reward_models import RewardModel, check_reward_model, to_p_right
from tasks.verifiers.sampled_layout import SampledSolution, lay_out_sampled, lay_out_written

PROMPT = "12 - 5?\n"
STEPS = ["12 - 5 = 7\n", "7 + 1 = 8\n", "The answer is 8."]


def save(folder: Path, kind: str, tokenizer: Any, **more: Any) -> Path:
    """An untrained model whose logits differ by token."""
    import transformers

    torch.manual_seed(1)
    sizes: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 256,
        "initializer_range": 0.5,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "tie_word_embeddings": False,
    }
    model = getattr(transformers, kind)(transformers.LlamaConfig(**{**sizes, **more}))
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def world_tokenizer() -> Any:
    from tasks.world.tokenizer import build_tokenizer

    return build_tokenizer()


@pytest.fixture(scope="module")
def verifier_folder(world_tokenizer: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "verifier"
    return save(folder, "LlamaForTokenClassification", world_tokenizer, num_labels=2)


@pytest.fixture(scope="module")
def verifier(verifier_folder: Path) -> RewardModel:
    return RewardModel.open(RewardModelConfig(model=str(verifier_folder)), separator="\n")


def sampled(tokenizer: Any, steps: list[str], ends: int = 1) -> SampledSolution:
    """Steps as they would be sampled, an end of text after the last."""
    encode = Encoder(tokenizer)
    ids = [list(encode(step)) for step in steps]
    return SampledSolution(
        before=encode(PROMPT, add_special_tokens=True),
        steps=ids,
        num_tokens=sum(map(len, ids)) + ends,
        question="12 - 5?",
    )


def test_the_reward_is_the_difference_of_the_logits_after_the_last_step(
    verifier, verifier_folder, world_tokenizer
):
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(verifier_folder).eval()
    encode = Encoder(world_tokenizer)
    totals = []
    for num in (1, 2, 3):
        solution = sampled(world_tokenizer, STEPS[:num])
        (reading,) = verifier.read([solution])
        layout = lay_out(encode, PROMPT, STEPS[:num], "\n")
        with torch.no_grad():
            output = model(torch.tensor([layout.token_ids]))
        wrong, right = output.logits[0, layout.positions[-1]].tolist()
        assert reading.log_odds == pytest.approx(right - wrong, abs=1e-5)
        assert reading.scored_tokens == len(layout.token_ids)
        assert len(reading.attention) == solution.num_tokens
        assert reading.attention[-1] == 0.0  # the end of text is not read
        assert all(weight > 0 for weight in reading.attention[:-1])
        totals.append(reading.log_odds)
    assert len(set(totals)) == 3


def test_solutions_are_read_alike_alone_and_together(verifier, world_tokenizer):
    solutions = [sampled(world_tokenizer, STEPS[:num]) for num in (3, 1, 2, 1)]
    together = verifier.read(solutions)
    for solution, reading in zip(solutions, together, strict=True):
        (alone,) = verifier.read([solution])
        assert alone.log_odds == pytest.approx(reading.log_odds, abs=1e-5)
        assert alone.attention == pytest.approx(reading.attention, abs=1e-6)


def test_sampled_tokens_are_laid_out_as_a_verifier_reads_their_steps(
    verifier, qwen_tokenizer, llama_tokenizer
):
    from dataclasses import replace

    rng = random.Random(0)
    for tokenizer in (verifier.verifier.encode.tokenizer, qwen_tokenizer, llama_tokenizer):
        described = replace(verifier.verifier, encode=Encoder(tokenizer))
        encode = described.encode
        for _ in range(40):
            steps = [f"{rng.randint(0, 99)} + {rng.randint(0, 9)} = 7\n" for _ in range(4)]
            steps = [*steps[: rng.randint(0, 4)], "The answer is 7." + rng.choice(["", "\n"])]
            ids = [list(encode(step)) for step in steps]
            ids[-1] += rng.choice([[], [tokenizer.eos_token_id]])
            layout = lay_out(encode, PROMPT, steps, "\n", step_ids=ids)
            before = encode(PROMPT, add_special_tokens=True)
            num = sum(map(len, ids))
            found = lay_out_sampled(
                described, SampledSolution(before=before, steps=ids, num_tokens=num)
            )
            assert found.token_ids == layout.token_ids
            assert found.position == layout.positions[-1]
            flat = [token for step in ids for token in step]
            assert len(found.columns) == num
            for token, column in zip(flat, found.columns, strict=True):
                assert (column is None) == (token == tokenizer.eos_token_id)
                assert column is None or found.token_ids[column] == token


def test_a_solution_without_a_visible_token_is_read_after_its_prompt(verifier, world_tokenizer):
    solution = sampled(world_tokenizer, [])
    (reading,) = verifier.read([solution])
    assert reading.attention == [0.0]
    assert reading.scored_tokens == len(solution.before) + 1


@pytest.mark.parametrize("num_labels", [1, 2])
def test_a_model_of_whole_answers_is_read_at_the_end(num_labels, world_tokenizer, tmp_path):
    from transformers import AutoModelForSequenceClassification

    folder = save(
        tmp_path / "orm", "LlamaForSequenceClassification", world_tokenizer, num_labels=num_labels
    )
    reward_model = RewardModel.open(RewardModelConfig(model=str(folder)), separator="\n")
    solution = sampled(world_tokenizer, STEPS)
    (reading,) = reward_model.read([solution])
    ids = [*solution.before, *(token for step in solution.steps for token in step)]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(torch.tensor([ids])).logits[0].tolist()
    expected = logits[0] if num_labels == 1 else logits[1] - logits[0]
    assert reading.log_odds == pytest.approx(expected, abs=1e-5)


def test_a_chat_of_the_reward_models_own_keeps_the_sampled_tokens(qwen_tokenizer, tmp_path):
    folder = save(tmp_path / "orm", "LlamaForSequenceClassification", qwen_tokenizer, num_labels=2)
    reward_model = RewardModel.open(RewardModelConfig(model=str(folder)), separator="\n")
    encode = Encoder(qwen_tokenizer)
    solution = sampled(qwen_tokenizer, STEPS)
    layout = lay_out_sampled(reward_model.verifier, solution)
    messages = [
        {"role": "user", "content": "12 - 5?"},
        {"role": "assistant", "content": "".join(STEPS)},
    ]
    chat = qwen_tokenizer.apply_chat_template(messages, tokenize=False)
    assert qwen_tokenizer.decode(layout.token_ids) == chat
    answer = [layout.token_ids[column] for column in layout.columns if column is not None]
    assert answer == [token for step in STEPS for token in encode(step)]
    assert layout.position == len(layout.token_ids) - 1
    assert layout.columns[-1] is None
    unasked = SampledSolution(before=[1], steps=solution.steps, num_tokens=solution.num_tokens)
    layout = lay_out_sampled(reward_model.verifier, unasked)
    assert layout.token_ids == [1, *answer]  # without the question, what the policy read


def test_a_policy_reads_its_ends_too(world_tokenizer):
    solution = sampled(world_tokenizer, STEPS, ends=2)
    layout = lay_out_written(solution, [2, 9])
    assert layout.token_ids[-2:] == [2, 9]
    assert layout.columns == [*range(len(solution.before), len(layout.token_ids))]


def test_another_tokenizer_is_refused_before_anything_is_loaded(
    verifier_folder, world_tokenizer, qwen_tokenizer, tmp_path
):
    config = RewardModelConfig(model=str(verifier_folder))
    same = save(tmp_path / "same", "LlamaForCausalLM", world_tokenizer)
    check_reward_model(config, same, separator="\n")
    other = save(tmp_path / "other", "LlamaForCausalLM", qwen_tokenizer)
    with pytest.raises(ModelUnusable, match=f"expected the tokenizer of the policy {other}"):
        check_reward_model(config, other, separator="\n")


@pytest.mark.parametrize(
    ("kind", "more", "words"),
    [
        ("LlamaForCausalLM", {}, "how a language model is read must be named"),
        ("LlamaForTokenClassification", {"num_labels": 3}, "expected 2 labels"),
        ("LlamaForSequenceClassification", {"num_labels": 4}, "expected 1 or 2 labels"),
    ],
)
def test_what_does_not_tell_right_from_wrong_is_refused(
    kind, more, words, world_tokenizer, tmp_path
):
    folder = save(tmp_path / "model", kind, world_tokenizer, **more)
    with pytest.raises(ModelUnusable, match=words):
        check_reward_model(RewardModelConfig(model=str(folder)), folder, separator="\n")


def test_a_verifier_with_another_layout_is_refused(verifier_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(verifier_folder, folder)
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = ["Qwen2ForProcessRewardModel"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelUnusable, match=r"expected a classifier of family .* got qwen_prm"):
        check_reward_model(RewardModelConfig(model=str(folder)), folder, separator="\n")


def test_other_steps_than_those_of_its_training_are_refused(world_tokenizer, tmp_path):
    folder = save(
        tmp_path / "model", "LlamaForTokenClassification", world_tokenizer, step_separator="\n\n"
    )
    with pytest.raises(ModelUnusable, match="it was trained with the step separator"):
        check_reward_model(RewardModelConfig(model=str(folder)), folder, separator="\n")


def test_lower_precision_keeps_the_score_layer(verifier, verifier_folder, world_tokenizer):
    config = RewardModelConfig(model=str(verifier_folder), dtype="bfloat16")
    coarse = RewardModel.open(config, separator="\n")
    solution = sampled(world_tokenizer, STEPS)
    (exact,), (rounded,) = verifier.read([solution]), coarse.read([solution])
    assert rounded.log_odds == pytest.approx(exact.log_odds, abs=0.3)
    assert rounded.log_odds != exact.log_odds


@pytest.mark.parametrize(
    ("log_odds", "p"), [(0.0, 0.5), (2.0, 0.880797), (-2.0, 0.119203), (800.0, 1.0), (-800.0, 0.0)]
)
def test_log_odds_as_a_probability(log_odds, p):
    assert to_p_right(log_odds) == pytest.approx(p, abs=1e-6)
