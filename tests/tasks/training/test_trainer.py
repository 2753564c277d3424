import math

import pytest
import torch

from schemas.training.prm import PrmTrainingConfig
from tasks.training.common import TrainingDiverged, check_weights, lr_factor
from tasks.training.optimizers import make_optimizer


def factors(num_steps, **shape):
    return [lr_factor(step, num_steps=num_steps, **shape) for step in range(num_steps + 1)]


def test_rates_rise_stay_and_fall_to_zero():
    made = factors(10, warmup_steps=4, decay_fraction=0.5)
    assert made == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0])
    assert factors(3, warmup_steps=0, decay_fraction=0) == [1, 1, 1, 1]


def test_the_schedule_of_transformers_wastes_its_first_step_and_is_the_same_from_the_peak_on():
    from transformers import get_wsd_schedule

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = get_wsd_schedule(
        optimizer,
        num_warmup_steps=4,
        num_decay_steps=5,
        num_training_steps=10,
        decay_type="linear",
    )
    theirs = []
    for _ in range(11):
        theirs.append(schedule.get_last_lr()[0])
        optimizer.step()
        schedule.step()
    ours = factors(10, warmup_steps=4, decay_fraction=0.5)
    assert theirs[0] == 0 < ours[0]
    assert theirs[1:4] == pytest.approx(ours[:3])
    assert theirs[4:] == pytest.approx(ours[4:])


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_every_weight_is_in_one_group_with_the_rate_of_its_kind(toy_base, optimizer):
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(toy_base, num_labels=2)
    recipe = PrmTrainingConfig(
        base_model="b", optimizer=optimizer, hidden_lr=0.4, other_lr=0.2, head_lr=0.1
    )
    made = make_optimizer(model, kind=optimizer, **recipe.rates)  # type: ignore[arg-type]
    rates = {
        id(parameter): group["lr"] for group in made.param_groups for parameter in group["params"]
    }
    named = dict(model.named_parameters())
    assert set(rates) == {id(parameter) for parameter in named.values()}
    assert rates[id(named["score.weight"])] == rates[id(named["score.bias"])] == 0.1
    assert rates[id(named["model.embed_tokens.weight"])] == 0.2
    assert rates[id(named["model.norm.weight"])] == 0.2
    assert rates[id(named["model.layers.0.mlp.up_proj.weight"])] == 0.4


def test_rates_that_are_not_given_follow_the_hidden_one():
    recipe = PrmTrainingConfig(base_model="b", hidden_lr=0.4)
    assert recipe.rates == {"hidden_lr": 0.4, "other_lr": 0.4, "head_lr": 0.4}
    muon = PrmTrainingConfig(base_model="b", hidden_lr=0.4, optimizer="muon")
    assert muon.rates == {"hidden_lr": 0.4, "other_lr": 0.1, "head_lr": 0.4}


def test_a_weight_that_is_no_number_is_refused():
    model = torch.nn.Linear(2, 2)
    check_weights(model)
    with torch.no_grad():
        model.bias[1] = math.nan
    with pytest.raises(TrainingDiverged, match="weight bias is not finite"):
        check_weights(model)
