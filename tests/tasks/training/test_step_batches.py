import math

import pytest
import torch

from tasks.training.step_batches import collate, step_loss


def row(input_ids, positions, labels, is_outcome=False):
    return {
        "input_ids": input_ids,
        "positions": positions,
        "labels": labels,
        "is_outcome": is_outcome,
    }


ROWS = [
    row([5, 6, 7], [1, 2], [1.0, None]),
    row([5, 8, 9, 4, 7], [2, 4], [0.0, 0.25], True),
]


def test_a_batch_is_padded_on_the_right_with_targets_where_steps_are_read():
    batch = collate(ROWS, pad_token_id=0, outcome_weight=0.5)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 0, 0], [5, 8, 9, 4, 7]]
    assert batch["targets"].tolist() == [[-1, 1, -1, -1, -1], [-1, -1, 0, -1, 0.25]]
    assert batch["weights"].tolist() == [[1.0] * 5, [0.5] * 5]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1] * 5]


def test_loss_of_soft_and_weighted_targets_by_hand():
    batch = collate(ROWS, pad_token_id=0, outcome_weight=0.5)
    logits = torch.zeros(2, 5, 2)
    logits[0, 1] = torch.tensor([0.0, math.log(3)])  # says right with .75
    logits[1, 4] = torch.tensor([math.log(4), 0.0])  # says right with .2
    expected = (
        -math.log(0.75) - 0.5 * math.log(0.5) - 0.5 * (0.25 * math.log(0.2) + 0.75 * math.log(0.8))
    ) / 2.0
    loss = step_loss(logits, batch["targets"], batch["weights"])
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_hard_targets_have_the_loss_that_trl_trains_on(toy_base):
    from transformers import AutoModelForTokenClassification

    model = AutoModelForTokenClassification.from_pretrained(toy_base, num_labels=2).eval()
    rows = [
        row([5, 6, 7], [1, 2], [1.0, None]),
        row([5, 8, 9, 4, 7], [2, 4], [0.0, 1.0]),
    ]
    batch = collate(rows, pad_token_id=0)
    labels = torch.tensor([[-100, 1, -100, -100, -100], [-100, -100, 0, -100, 1]])
    mask = torch.tensor([[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]])
    with torch.no_grad():
        theirs = model(input_ids=batch["input_ids"], attention_mask=mask, labels=labels).loss
        logits = model(input_ids=batch["input_ids"]).logits
    ours = step_loss(logits, batch["targets"], batch["weights"])
    assert ours.item() == pytest.approx(theirs.item(), abs=1e-6)


def test_a_batch_without_labels_costs_nothing():
    rows = [row([5, 6], [1], [None])]
    batch = collate(rows, pad_token_id=0)
    assert step_loss(torch.randn(1, 2, 2), batch["targets"], batch["weights"]).item() == 0
