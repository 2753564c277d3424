"""The card of a trained policy, its probe, and its folder."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schemas.policy_training import PolicyTrainingJob
from tasks.engines.probe import PROBE_FILE, take_probe
from tasks.models.checkpoints import save_checkpoint

_CARD = """\
---
library_name: transformers
pipeline_tag: text-generation
base_model: {base}
---
# {model_name}: a policy trained by {method}

* Trained from: `{base}`
* Training set: `{training_set}`, {rows}

| figure | |
|---|---|
{metrics}

The whole recipe:

```json
{config}
```
"""


def save_policy(
    model: Any,
    tokenizer: Any,
    job: PolicyTrainingJob,
    *,
    training_set: str,
    checkpoints_dir: Path,
    counts: Mapping[str, int],
    metrics: Mapping[str, float],
    probe_ids: Sequence[int],
) -> tuple[str, Path]:
    """Write the checkpoint and give it its name, `<model_name>-<hash of its weights>`.

    Args:
        model: the trained policy, in the type it is to be stored in.
        tokenizer: its tokenizer.
        job: what it was trained by.
        training_set: the set's name.
        checkpoints_dir: gets the folder.
        counts: of rows, steps and tokens.
        metrics: figures of the training.
        probe_ids: the tokens of a text like those it was trained on, for the probe, by which a
            running engine is known to serve this policy; fewer than two make none.

    Returns:
        The model id, and the folder `<checkpoints_dir>/<model_id>`.
    """
    card = _CARD.format(
        base=job.policy.model,
        model_name=job.model_name,
        method=job.method.type,
        training_set=training_set,
        rows=", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()),
        metrics="\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items()),
        config=json.dumps(job.model_dump(mode="json"), indent=2),
    )
    texts = {"README.md": card}
    if len(probe_ids) > 1:
        texts[PROBE_FILE] = take_probe(model, probe_ids).to_json()
    return save_checkpoint(
        model, tokenizer, model_name=job.model_name, texts=texts, checkpoints_dir=checkpoints_dir
    )
