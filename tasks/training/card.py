"""The folder of a trained model: weights, tokenizer, card, and the probe of a policy."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.rows import ModelRole
from schemas.training.recipe import TrainingJob
from tasks.engines.probe import PROBE_FILE, take_probe
from tasks.models.checkpoints import save_checkpoint
from tasks.training.sets import TrainingSet

_CARD = """\
---
library_name: transformers
pipeline_tag: {tag}
base_model: {base}
---
# {name}: a {role} trained by {method}
{reading}
* Trained from: `{base}`
* Training set: `{training_set}`, {rows}
{labels}
| figure | |
|---|---|
{metrics}

The whole recipe:

```json
{config}
```
"""
_TAGS: dict[ModelRole, str] = {"policy": "text-generation", "verifier": "token-classification"}
_READING: dict[ModelRole, str] = {
    "verifier": """
It reads a question and a solution and predicts after every step, at the last token of the separator
{separator!r}, whether the solution is still right (label 1) or already wrong (label 0). Figures
that begin with `heldout`, `step` or `outcome` are of problems that were held out of training.
"""
}
"""How to read the model's output, by role."""


def save_model(
    model: Any,
    tokenizer: Any,
    job: TrainingJob,
    *,
    training_set: TrainingSet,
    checkpoints_dir: Path,
    counts: Mapping[str, int],
    metrics: Mapping[str, float],
    probe_ids: Sequence[int] = (),
) -> tuple[str, Path]:
    """Write the checkpoint, named `<model_name>-<hash of its weights>`.

    Args:
        model: the trained model, in the type to store it in.
        tokenizer: its tokenizer.
        job: the training job.
        training_set: what it was trained on.
        checkpoints_dir: gets the folder.
        counts: of rows, steps and tokens.
        metrics: figures of the training.
        probe_ids: the tokens of a text like those a policy was trained on. They make the probe,
            which shows whether a running engine serves this policy; fewer than two make none.

    Returns:
        The model id, and the folder `<checkpoints_dir>/<model_id>`.
    """
    role = job.recipe.role
    method = training_set.label_method
    card = _CARD.format(
        tag=_TAGS[role],
        base=job.base[0],
        name=job.made_name,
        role=job.made_role,
        method=job.recipe.method,
        reading=_READING.get(role, "").format(separator=job.prompt.separator),
        training_set=training_set.name,
        rows=", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()),
        labels=f"* Step labels: `{method}`\n" if method else "",
        metrics="\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items()),
        config=json.dumps(job.model_dump(mode="json"), indent=2),
    )
    texts = {"README.md": card}
    if len(probe_ids) > 1:
        texts[PROBE_FILE] = take_probe(model, probe_ids).to_json()
    return save_checkpoint(
        model, tokenizer, model_name=job.made_name, texts=texts, checkpoints_dir=checkpoints_dir
    )
