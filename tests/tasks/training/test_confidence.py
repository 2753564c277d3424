import math
import random

import pytest
import torch

from schemas.training.confidence import ConfidenceConfig
from tasks.training.confidence import hardened, mix_step_targets, mix_token_losses
from tasks.training.step_batches import UNLABELLED


def published_loss(logits, labels, step_fraction):
    """The formula of the published code, on [num, 2] logits and soft labels."""
    coefficient = 0.5 * (1.0 if step_fraction > 0.1 else step_fraction)
    predictions = logits.softmax(dim=-1)
    threshold = torch.quantile(predictions[:, 0], labels.mean(dim=0)[1])
    strong = torch.stack([predictions[:, 0] >= threshold, predictions[:, 0] < threshold], dim=1)
    target = labels * (1 - coefficient) + strong.detach() * coefficient
    return torch.nn.functional.cross_entropy(logits, target, reduction="none").mean()


def test_half_of_the_predictions_are_right_where_the_weak_mean_is_a_half():
    p_wrong = torch.tensor([0.9, 0.1, 0.6, 0.2])
    weak = torch.tensor([0.4, 0.9, 0.6, 0.1])  # mean .5, quantile .4
    assert hardened(p_wrong, weak).tolist() == [0, 1, 0, 1]


def test_a_confident_weak_model_makes_more_predictions_right():
    p_wrong = torch.linspace(0.05, 0.95, 10)
    for num_right in range(1, 10):
        weak = torch.full((10,), num_right / 10)
        assert hardened(p_wrong, weak).sum() == num_right


def test_targets_by_hand():
    p_wrong = [0.9, 0.1, 0.6, 0.2]
    logits = torch.tensor([[[math.log(p), math.log(1 - p)] for p in p_wrong] + [[0.0, 5.0]]])
    targets = torch.tensor([[0.4, 0.9, 0.6, 0.1, UNLABELLED]])
    mixed = mix_step_targets(logits, targets, 0.5, unlabelled=UNLABELLED)
    assert mixed[0].tolist() == pytest.approx([0.2, 0.95, 0.3, 0.55, UNLABELLED])
    assert mix_step_targets(logits, targets, 0.0, unlabelled=UNLABELLED) is targets


@pytest.mark.parametrize("step_fraction", [0.0, 0.05, 0.1, 0.11, 1.0])
def test_loss_is_that_of_the_published_code(step_fraction):
    from tasks.training.step_batches import step_loss

    torch.manual_seed(3)
    logits = torch.randn(40, 2, requires_grad=True)
    weak = torch.rand(40)
    labels = torch.stack([1 - weak, weak], dim=1)
    theirs = published_loss(logits, labels, step_fraction)
    config = ConfidenceConfig(ramp="published_code")
    targets = mix_step_targets(
        logits[None], weak[None], config.weight_at(step_fraction), unlabelled=UNLABELLED
    )
    ours = step_loss(logits[None], targets, torch.ones(1, 40))
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-5)
    one, other = [
        torch.autograd.grad(loss, logits, retain_graph=True)[0] for loss in (ours, theirs)
    ]
    assert torch.allclose(one, other, atol=1e-7)


def test_tokens_mix_with_the_likeliest_one_and_unlearned_ones_stay_out():
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]))
    targets = torch.tensor([1, 1, -100])
    losses = torch.nn.functional.cross_entropy(logits, targets, ignore_index=-100, reduction="none")
    mixed = mix_token_losses(logits, losses, targets, 0.25, none=-100)
    expected = [-0.75 * math.log(0.2) - 0.25 * math.log(0.7), -math.log(0.5), 0.0]
    assert mixed.tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("settings", "progress", "expected"),
    [
        ({}, 0.0, 0.0),
        ({}, 0.05, 0.25),
        ({}, 0.1, 0.5),
        ({}, 0.7, 0.5),
        ({"warmup_fraction": 0.0}, 0.0, 0.5),
        ({"ramp": "published_code"}, 0.08, 0.04),
        ({"ramp": "published_code"}, 0.11, 0.5),
    ],
)
def test_the_share_of_predictions_rises(settings, progress, expected):
    assert ConfidenceConfig(**settings).weight_at(progress) == pytest.approx(expected)


def test_a_verifier_that_trusts_itself_becomes_sure_whatever_the_labels(
    prm_job, make_set, train, stepwise_row
):
    rng = random.Random(0)
    shares = [rng.uniform(0.3, 0.7) for _ in range(64)]
    rows = [
        stepwise_row(
            [f"{i % 10} + {i // 10} = 7"], [share >= 0.5], soft=[share], problem_id=f"p{i}"
        )
        for i, share in enumerate(shares)
    ]
    settings = {"targets": "soft", "eval_fraction": 0.0, "max_steps": 60}
    trusting, sure = (
        train(prm_job(**settings, **more), set_folder=make_set(rows), work=f"work-{len(more)}")
        for more in ({}, {"confidence": {"weight": 1.0, "warmup_fraction": 0.0}})
    )
    assert trusting.curve[-1]["loss"] > 0.55
    assert sure.curve[-1]["loss"] < 0.45


def test_a_policy_that_trusts_itself_does_not_learn_what_it_finds_unlikely(
    make_set, make_job, train, odd_rows
):
    folder = make_set(odd_rows)
    plain = train(make_job(folder, max_steps=10), work="plain")
    sure = train(
        make_job(folder, max_steps=10, confidence={"weight": 1.0, "warmup_fraction": 0.0}),
        work="sure",
    )
    assert sure.curve[0]["loss"] < plain.curve[0]["loss"] / 2
    assert sure.model_id != plain.model_id
