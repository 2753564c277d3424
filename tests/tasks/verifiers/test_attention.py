"""Attention that is read from a model, against a softmax written out by hand."""

import math
from typing import Any

import pytest
import torch

from schemas.errors import ModelUnusable
from tasks.verifiers.attention import AttentionReader, eager_attention
from tasks.verifiers.sampled_layout import SampledLayout, SampledSolution, lay_out_written

SIZES: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 50,
    "max_position_embeddings": 64,
    "num_labels": 2,
}


def tiny_llama(kind: str = "LlamaForTokenClassification", **more: Any) -> Any:
    import transformers

    torch.manual_seed(0)
    config = transformers.LlamaConfig(**{**SIZES, "initializer_range": 0.5, **more})
    return getattr(transformers, kind)(config).eval()


def last_attention_by_hand(model: Any, ids: list[int]) -> list[list[float]]:
    """[T][T] softmax of scaled products of rotated queries and keys, averaged over the heads."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    with torch.no_grad():
        states = model.model(
            torch.tensor([ids]), output_hidden_states=True, use_cache=False
        ).hidden_states[-2]
        layer = model.model.layers[-1]
        normed = layer.input_layernorm(states)
        num_heads, size = SIZES["num_attention_heads"], 4
        queries = layer.self_attn.q_proj(normed).view(1, len(ids), num_heads, size).transpose(1, 2)
        keys = layer.self_attn.k_proj(normed).view(1, len(ids), 2, size).transpose(1, 2)
        turns = model.model.rotary_emb(states, torch.arange(len(ids))[None])
        queries, keys = apply_rotary_pos_emb(queries, keys, *turns)
    rows = []
    for at in range(len(ids)):
        mean = [0.0] * len(ids)
        for head in range(num_heads):
            key = keys[0, head // 2]
            products = [
                float(queries[0, head, at] @ key[j]) / math.sqrt(size) for j in range(at + 1)
            ]
            top = max(products)
            powers = [math.exp(product - top) for product in products]
            for j, power in enumerate(powers):
                mean[j] += power / sum(powers) / num_heads
        rows.append(mean)
    return rows


def solution(before: list[int], *steps: list[int]) -> SampledLayout:
    num = sum(map(len, steps))
    return lay_out_written(SampledSolution(before=before, steps=steps, num_tokens=num))


def test_the_row_of_the_last_token_is_the_softmax_over_the_response():
    model = tiny_llama()
    layout = solution([3, 9, 4], [7, 7, 21], [30, 2])
    (reading,) = AttentionReader(model, max_batch_tokens=64).read([layout])
    expected = last_attention_by_hand(model, layout.token_ids)[-1][3:]
    assert len(set(map(lambda w: round(w, 3), expected))) > 2
    assert reading.attention == pytest.approx(expected, abs=1e-6)


def test_received_attention_is_the_mean_over_later_tokens_and_the_token_itself():
    model = tiny_llama("LlamaForCausalLM")
    layout = solution([3, 9, 4], [7, 8, 21], [30])
    (reading,) = AttentionReader(model, max_batch_tokens=64).read([layout], received=True)
    rows = last_attention_by_hand(model, layout.token_ids)
    expected = [sum(rows[j][i] for j in range(i, 7)) / (7 - i) for i in range(3, 7)]
    assert reading.attention == pytest.approx(expected, abs=1e-6)


def test_batches_and_padding_change_nothing():
    model = tiny_llama()
    layouts = [
        solution([1 + i], [(5 * i + j) % 49 + 1 for j in range(n)])
        for i, n in enumerate([3, 17, 1, 9, 9, 2, 30])
    ]
    alone = [AttentionReader(model, max_batch_tokens=1).read([each])[0] for each in layouts]
    for limit in (1, 40, 64, 10_000):
        together = AttentionReader(model, max_batch_tokens=limit).read(layouts)
        for one, other in zip(alone, together, strict=True):
            assert one.attention == pytest.approx(other.attention, abs=1e-6)
            assert torch.allclose(one.hidden, other.hidden, atol=1e-5)


def test_a_batch_holds_no_more_than_its_tokens():
    model, sizes = tiny_llama(), []
    model.model.register_forward_pre_hook(
        lambda _m, _a, given: sizes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    layouts = [solution([1], [2] * n) for n in (4, 9, 4, 4, 19)]
    AttentionReader(model, max_batch_tokens=20).read(layouts)
    assert sizes == [(1, 20), (2, 10), (2, 5)]


def test_tokens_that_are_not_read_get_no_attention():
    model = tiny_llama()
    whole = solution([3, 9], [7, 8], [30])
    columns: list[int | None] = [2, None, 4, None]
    layout = SampledLayout(whole.token_ids, 4, columns)
    reader = AttentionReader(model, max_batch_tokens=64)
    full, partly = reader.read([whole, layout])
    assert partly.attention == pytest.approx([full.attention[0], 0.0, full.attention[2], 0.0])


def test_a_policy_in_training_is_left_as_it_was():
    model = tiny_llama("LlamaForCausalLM", attn_implementation="sdpa").train()
    before = {name: w.clone() for name, w in model.state_dict().items()}
    AttentionReader(model, max_batch_tokens=64).read([solution([1], [2, 3])], received=True)
    assert model.training
    assert model.config._attn_implementation == "sdpa"
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert all(torch.equal(before[name], w) for name, w in model.state_dict().items())


def test_adapters_are_part_of_what_attends():
    peft = pytest.importorskip("peft")
    model = tiny_llama("LlamaForCausalLM")
    layout = solution([3, 9], [7, 8, 30])
    (plain,) = AttentionReader(model, max_batch_tokens=64).read([layout], received=True)
    adapted = peft.get_peft_model(
        model, peft.LoraConfig(r=2, target_modules="all-linear", init_lora_weights=False)
    )
    (changed,) = AttentionReader(adapted, max_batch_tokens=64).read([layout], received=True)
    assert changed.attention != pytest.approx(plain.attention, abs=1e-3)
    (merged,) = AttentionReader(adapted.merge_and_unload(), max_batch_tokens=64).read(
        [layout], received=True
    )
    assert merged.attention == pytest.approx(changed.attention, abs=1e-5)


def test_eager_attention_ends_with_the_block_also_after_an_error():
    model = tiny_llama(attn_implementation="sdpa")
    with pytest.raises(ZeroDivisionError), eager_attention(model):
        assert 1 / (model.config._attn_implementation != "eager")
    assert model.config._attn_implementation == "sdpa"


def test_other_architectures_tell_their_attention_too():
    import transformers

    torch.manual_seed(0)
    small: dict[str, Any] = {
        "n_embd": 16,
        "n_layer": 2,
        "n_head": 4,
        "vocab_size": 50,
        "n_positions": 32,
    }
    for model in (
        transformers.GPT2ForSequenceClassification(transformers.GPT2Config(**small)),
        transformers.Qwen2ForTokenClassification(transformers.Qwen2Config(**SIZES)),
    ):
        reader = AttentionReader(model.eval(), max_batch_tokens=64)
        reader.check()
        (reading,) = reader.read([solution([], [5, 6, 7, 8])])
        assert sum(reading.attention) == pytest.approx(1.0, abs=1e-5)


def test_a_model_that_attends_to_later_tokens_is_refused():
    import transformers

    config = transformers.BertConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=4, intermediate_size=24
    )
    model = transformers.BertForTokenClassification(config).eval()
    with pytest.raises(ModelUnusable, match="attention to earlier ones"):
        AttentionReader(model, max_batch_tokens=64, name="reward model X").check()


def test_a_model_without_attention_is_refused():
    model = torch.nn.Linear(2, 2)
    with pytest.raises(ModelUnusable, match="expected attention layers"):
        AttentionReader(model, max_batch_tokens=64)
