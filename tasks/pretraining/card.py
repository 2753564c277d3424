"""The card of a pretrained policy: how it was made and its measured scores."""

import json
from collections.abc import Mapping
from pathlib import Path

from schemas.pretraining import PretrainingConfig
from tasks.pretraining.scores import PolicyScores

_CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
---
# A policy of the built-in world

A Llama of {num_parameters:,} parameters, trained from random weights on the solutions of
simulated students. It reads a question and a newline, and writes a line per calculation:

    Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. How many books does Dan have now?
    Tuesday: [buys from] 34 - 7 = 27
    Answer: 27

It is meant for trying out sampling, verifiers and search: in one attempt it is often wrong, in
many attempts it is nearly always right once, and where a wording misleads most students it is
confidently wrong. It knows nothing but this world.

## How it was made

{num_steps:,} steps, {num_tokens:,} tokens, {training_s:.0f} seconds. Fresh problems of the
train split throughout, each with the solution of a fresh student. The whole recipe, for
`pretrain`:

```json
{config}
```
"""

_SCORES = """
## What it scores

{num_problems} problems of the dev split, {num_solutions} solutions each at temperature 1, exact
checker; ties of a vote are shared. The standard error of a figure over all problems is about
{standard_error:.3f}. {wrong_step_rate:.1%} of the right answers were reached through a wrong step.

| problems | number | greedy | {budget_names} |
|---|---|---|{rules}|
"""


def write_card(
    folder: Path,
    config: PretrainingConfig,
    training: Mapping[str, float],
    scores: PolicyScores | None,
) -> None:
    """Write README.md into a checkpoint's folder.

    Args:
        folder: the checkpoint's.
        config: the recipe.
        training: num_parameters, num_steps, num_tokens and training_s.
        scores: what was measured; None leaves that part out.
    """
    text = _CARD.format(config=json.dumps(config.model_dump(), indent=2), **training)
    if scores is not None:
        text += _score_table(scores)
    (folder / "README.md").write_text(text, encoding="utf-8")


def _score_table(scores: PolicyScores) -> str:
    overall = scores.groups["all"]
    names = [f"pass@{k}" for k in overall.pass_at] + [f"majority@{k}" for k in overall.majority_at]
    header = _SCORES.format(
        num_problems=overall.num_problems,
        num_solutions=scores.num_solutions,
        standard_error=(0.25 / overall.num_problems) ** 0.5,
        wrong_step_rate=scores.wrong_step_rate,
        budget_names=" | ".join(names),
        rules="|".join("---" for _ in names),
    )
    rows = []
    for name, group in scores.groups.items():
        values = [group.greedy, *group.pass_at.values(), *group.majority_at.values()]
        cells = " | ".join(f"{value:.3f}" for value in values)
        rows.append(f"| {name} | {group.num_problems} | {cells} |")
    return header + "\n".join(rows) + "\n"
