"""The card of a trained policy, and its folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.policy_training import PolicyTrainingJob
from tasks.checkpoints import save_checkpoint

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
) -> tuple[str, Path]:
    """Write the checkpoint and give it its name, `<model_name>-<hash of its weights>`.

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
    return save_checkpoint(
        model, tokenizer, model_name=job.model_name, card=card, checkpoints_dir=checkpoints_dir
    )
