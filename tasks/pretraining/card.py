"""The card of a pretrained policy: how it was made and its measured scores."""

import json
from collections.abc import Mapping
from pathlib import Path

from schemas.pretraining import PretrainingConfig
from tasks.pretraining.scores import PolicyScores
from tasks.pretraining.tutoring_scores import RETRY_TEMPERATURE, TutoringScores

_CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
---
# A policy of the built-in world

A Llama of {num_parameters:,} parameters, trained from random weights on texts of simulated
students. It reads a question and a newline, and writes a line per calculation:

    Monday: Dan has 34 books. Tuesday: Ana buys 7 books from Dan. How many books does Dan have now?
    Tuesday: [buys from] 34 + 7 = 41
    Answer: 41

Asked for it, it reviews a solution, up to the first line that it finds wrong, and tries again:

    Review:
    Tuesday: [buys from] wrong, take away
    Review: wrong
    Again:
    Tuesday: [buys from] 34 - 7 = 27
    Answer: 27

It is meant for trying out sampling, verifiers and search: in one attempt it is often wrong, in
many attempts it is nearly always right once, and where a wording misleads most students it is
confidently wrong. It knows nothing but this world.

## How it was made

{num_steps:,} steps, {num_tokens:,} tokens, {training_s:.0f} seconds. Fresh problems of the
train split throughout, each with a text of a fresh student: a solution, a review or a second
attempt. The whole recipe, for `stepmill run pretraining`:

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

_TUTORING = """
{num_solutions} of these solutions, reviewed greedily by the policy itself: a wrong answer is found
wrong in {flags_wrong} of cases, with the first wrong step named in {locates}, and a right one found
right in {passes_right}. Second attempts at temperature {temperature}:

| second attempt after | right after a wrong first one | right after a right first one |
|---|---|---|
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
    return header + "\n".join(rows) + "\n" + _tutoring_table(scores.tutoring)


def _tutoring_table(scores: TutoringScores) -> str:
    own = scores.own_review
    header = _TUTORING.format(
        num_solutions=scores.num_solutions,
        flags_wrong=_figure(own.flags_wrong),
        passes_right=_figure(own.passes_right),
        locates=_figure(own.locates),
        temperature=RETRY_TEMPERATURE,
    )
    rows = [
        f"| {name} | {_figure(retry.after_wrong)} | {_figure(retry.after_right)} |"
        for name, retry in scores.retries.items()
    ]
    return header + "\n".join(rows) + "\n"


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
