import math

import pytest
import torch

from schemas.prm_training import PrmTrainingConfig
from tasks.prm_training.trainer import StopEarly, build_optimizer
from tasks.training.common import TrainingDiverged, check_weights, lr_factor


def config(**fields):
    return PrmTrainingConfig(base_model="base", **fields)


def test_rates_rise_stay_and_fall_to_zero():
    settings = config(warmup_steps=4, decay_fraction=0.5)
    factors = [lr_factor(step, num_steps=10, config=settings) for step in range(11)]
    assert factors == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])
    flat = config(warmup_steps=0, decay_fraction=0)
    assert [lr_factor(step, num_steps=3, config=flat) for step in range(4)] == [1, 1, 1, 1]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_every_weight_is_in_one_group_with_the_rate_of_its_kind(toy_base, optimizer):
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(toy_base, num_labels=2)
    settings = config(optimizer=optimizer, hidden_lr=0.4, other_lr=0.2, head_lr=0.1)
    rates = {
        id(parameter): group["lr"]
        for group in build_optimizer(model, settings).param_groups
        for parameter in group["params"]
    }
    named = dict(model.named_parameters())
    assert set(rates) == {id(parameter) for parameter in named.values()}
    assert rates[id(named["score.weight"])] == rates[id(named["score.bias"])] == 0.1
    assert rates[id(named["model.embed_tokens.weight"])] == 0.2
    assert rates[id(named["model.norm.weight"])] == 0.2
    assert rates[id(named["model.layers.0.mlp.up_proj.weight"])] == 0.4


def test_a_weight_that_is_no_number_is_refused():
    model = torch.nn.Linear(2, 2)
    check_weights(model)
    with torch.no_grad():
        model.bias[1] = math.nan
    with pytest.raises(TrainingDiverged, match="weight bias is not finite"):
        check_weights(model)


def test_early_stopping_ends_on_a_plateau_with_the_best_weights():
    from transformers import TrainerControl, TrainerState

    model = torch.nn.Linear(1, 1)
    losses = iter([3.0, 1.0, 2.0, 1.5, 1.6])
    settings = config(early_stopping={"every_steps": 2, "patience": 2})
    stop = StopEarly(settings, lambda: next(losses))
    state, control = TrainerState(), TrainerControl()
    stopped_at = None
    for step in range(1, 20):
        with torch.no_grad():
            model.weight.fill_(step)
        state.global_step = step
        stop.on_step_end(None, state, control, model=model)
        if control.should_training_stop:
            stopped_at = step
            break
    assert stopped_at == 8
    stop.on_train_end(None, state, control, model=model)
    assert model.weight.item() == 4
