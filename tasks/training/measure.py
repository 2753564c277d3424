"""A verifier's figures on the problems held out of its training."""

from collections.abc import Mapping, Sequence
from typing import Any

from tasks.training.step_batches import collate, row_weight
from tasks.verifiers.quality import auc, expected_calibration_error, log_loss, reliability_table

BATCH_ROWS = 64


def score_rows(model: Any, rows: Sequence[Mapping[str, Any]]) -> list[list[float]]:
    """The probability of being right that the model gives each step, [num_rows][num_steps]."""
    import torch

    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    scores: list[list[float]] = [[] for _ in rows]
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]["input_ids"]))
    with torch.no_grad():
        for start in range(0, len(order), BATCH_ROWS):
            indices = order[start : start + BATCH_ROWS]
            batch = collate([rows[i] for i in indices], pad_token_id=0)
            logits = model(input_ids=batch["input_ids"].to(device), use_cache=False).logits
            p_right = torch.softmax(logits.float(), dim=-1)[..., 1].cpu()
            for line, i in enumerate(indices):
                scores[i] = p_right[line, list(rows[i]["positions"])].tolist()
    model.train(was_training)
    return scores


def heldout_loss(
    model: Any, rows: Sequence[Mapping[str, Any]], *, outcome_weight: float = 1.0
) -> float:
    """Mean cross entropy per labelled step in nats, by the rows' weights."""
    return _mean_loss(rows, score_rows(model, rows), outcome_weight)


def measure_verifier(
    model: Any, rows: Sequence[Mapping[str, Any]], *, outcome_weight: float = 1.0
) -> dict[str, float]:
    """Held-out loss, ranking and calibration; a figure undefined on these rows is left out.

    A step counts as right when its label is above 0, so soft and hard targets of the same
    rollouts get the same measure. Over all labelled steps: `heldout_loss` against the targets,
    `step_auc`, `step_accuracy` at .5, `step_ece`; over last steps: `outcome_auc`.
    """
    scores = score_rows(model, rows)
    pairs = [
        (score, label)
        for row, row_scores in zip(rows, scores, strict=True)
        for score, label in zip(row_scores, row["labels"], strict=True)
        if label is not None
    ]
    metrics: dict[str, float | None] = {
        "heldout_problems": len({row["problem_id"] for row in rows}),
        "heldout_rows": len(rows),
        "heldout_steps": len(pairs),
    }
    if pairs:
        values = [score for score, _ in pairs]
        right = [label > 0 for _, label in pairs]
        metrics["heldout_loss"] = _mean_loss(rows, scores, outcome_weight)
        metrics["step_auc"] = auc(values, right)
        metrics["step_accuracy"] = sum(
            (value > 0.5) == truth for value, truth in zip(values, right, strict=True)
        ) / len(pairs)
        metrics["step_ece"] = expected_calibration_error(reliability_table(values, right))
        metrics["right_share"] = sum(right) / len(right)
        last = [(s[-1], row["labels"][-1]) for s, row in zip(scores, rows, strict=True)]
        metrics["outcome_auc"] = auc(
            [score for score, _ in last],
            [None if label is None else label > 0 for _, label in last],
        )
    return {name: value for name, value in metrics.items() if value is not None}


def _mean_loss(
    rows: Sequence[Mapping[str, Any]], scores: Sequence[Sequence[float]], outcome_weight: float
) -> float:
    losses, weights = [], []
    for row, row_scores in zip(rows, scores, strict=True):
        num_labels = sum(label is not None for label in row["labels"])
        loss = log_loss(row_scores, row["labels"])
        if loss is not None:
            weight = num_labels * row_weight(row, outcome_weight)
            losses.append(loss * weight)
            weights.append(weight)
    return sum(losses) / sum(weights)
