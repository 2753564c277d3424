import copy

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, LlamaForTokenClassification

from tasks.training.optimizers import make_optimizer

TINY = LlamaConfig(
    vocab_size=17,
    hidden_size=8,
    intermediate_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=2,
)


def _train_step(model, optimizer, token_ids):
    loss = model(input_ids=token_ids, labels=token_ids).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()


@pytest.mark.parametrize("model_class", [LlamaForCausalLM, LlamaForTokenClassification])
def test_every_parameter_is_in_exactly_one_group(model_class):
    model = model_class(TINY)
    optimizer = make_optimizer(model, hidden_lr=0.1, other_lr=0.2, head_lr=0.3)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())


def test_groups_get_the_learning_rate_of_their_kind():
    model = LlamaForTokenClassification(TINY)
    optimizer = make_optimizer(model, hidden_lr=0.1, other_lr=0.2, head_lr=0.3)
    lr_of = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    lrs = {name: lr_of[id(p)] for name, p in model.named_parameters()}
    assert lrs["score.weight"] == lrs["score.bias"] == 0.3
    assert lrs["model.embed_tokens.weight"] == lrs["model.norm.weight"] == 0.2
    assert lrs["model.layers.0.self_attn.q_proj.weight"] == 0.1
    assert lrs["model.layers.1.mlp.down_proj.weight"] == 0.1


def test_tied_head_is_trained_once_as_an_embedding():
    model = LlamaForCausalLM(LlamaConfig(**{**TINY.to_dict(), "tie_word_embeddings": True}))
    optimizer = make_optimizer(model, hidden_lr=0.1, other_lr=0.2, head_lr=0.3)
    assert {group["lr"] for group in optimizer.param_groups} == {0.1, 0.2}


def test_frozen_parameters_are_left_alone():
    model = LlamaForCausalLM(TINY)
    model.model.requires_grad_(False)
    optimizer = make_optimizer(model, hidden_lr=0.1, other_lr=0.2)
    held = [p for group in optimizer.param_groups for p in group["params"]]
    assert [id(p) for p in held] == [id(model.lm_head.weight)]
    model.requires_grad_(False)
    with pytest.raises(ValueError, match="every one is frozen"):
        make_optimizer(model, hidden_lr=0.1, other_lr=0.2)


def test_changed_learning_rate_reaches_every_parameter():
    model = LlamaForCausalLM(TINY)
    optimizer = make_optimizer(model, hidden_lr=0.1, other_lr=0.2)
    before = [p.detach().clone() for p in model.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    _train_step(model, optimizer, torch.arange(12).reshape(2, 6))
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    for group in optimizer.param_groups:
        group["lr"] = 0.01
    _train_step(model, optimizer, torch.arange(12).reshape(2, 6))
    assert not any(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_restored_state_continues_as_if_never_interrupted():
    token_ids = torch.arange(12).reshape(2, 6)
    torch.manual_seed(0)
    first = LlamaForCausalLM(TINY)
    second = LlamaForCausalLM(TINY)
    optimizer = make_optimizer(first, hidden_lr=0.01, other_lr=0.01)
    for _ in range(3):
        _train_step(first, optimizer, token_ids)
    second.load_state_dict(first.state_dict())
    restored = make_optimizer(second, hidden_lr=0.5, other_lr=0.5)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for _ in range(3):
        _train_step(first, optimizer, token_ids)
        _train_step(second, restored, token_ids)
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
