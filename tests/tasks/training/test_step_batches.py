import math

import pytest
import torch

from tasks.prm_training.batches import collate, step_loss
from tasks.prm_training.token_rows import TokenRow

ROWS = [
    TokenRow((5, 6, 7), (1, 2), (1.0, None), 1.0, "p0"),
    TokenRow((5, 8, 9, 4, 7), (2, 4), (0.0, 0.25), 0.5, "p1"),
]


def test_a_batch_is_padded_on_the_right_with_targets_where_steps_are_read():
    batch = collate(ROWS, pad_token_id=0)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 0, 0], [5, 8, 9, 4, 7]]
    assert batch["targets"].tolist() == [[-1, 1, -1, -1, -1], [-1, -1, 0, -1, 0.25]]
    assert batch["weights"].tolist() == [[1.0] * 5, [0.5] * 5]
    assert batch["num_tokens"] == 8


def test_loss_of_soft_and_weighted_targets_by_hand():
    batch = collate(ROWS, pad_token_id=0)
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
        TokenRow((5, 6, 7), (1, 2), (1.0, None), 1.0, "p0"),
        TokenRow((5, 8, 9, 4, 7), (2, 4), (0.0, 1.0), 1.0, "p1"),
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
    rows = [TokenRow((5, 6), (1,), (None,), 1.0, "p0")]
    batch = collate(rows, pad_token_id=0)
    assert step_loss(torch.randn(1, 2, 2), batch["targets"], batch["weights"]).item() == 0
