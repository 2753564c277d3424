"""A trained verifier as a folder: weights, tokenizer and card, there whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.prm_training import PrmTrainingConfig
from tasks.models.checkpoints import save_checkpoint

_CARD = """\
---
library_name: transformers
pipeline_tag: token-classification
base_model: {base_model}
---
# {model_name}: a verifier of solution steps

It reads a question and a solution and says after every step, at the last token of the separator
{separator!r}, whether the solution is still right (label 1) or already wrong (label 0).

* Base: `{base_model}`
* Labels: {data}, {targets} targets
* Rows: {rows}

| held-out figure | |
|---|---|
{metrics}

Held-out problems were never trained on. The whole recipe:

```json
{config}
```
"""


def save_verifier(
    *,
    model: Any,
    tokenizer: Any,
    config: PrmTrainingConfig,
    checkpoints_dir: Path,
    counts: Mapping[str, int],
    metrics: Mapping[str, float],
) -> tuple[str, Path]:
    """Write the checkpoint and give it its name, `<model_name>-<hash of its weights>`.

    Returns:
        The model id, and the folder `<checkpoints_dir>/<model_id>`.
    """
    return save_checkpoint(
        model,
        tokenizer,
        model_name=config.model_name,
        texts={"README.md": _card(config, counts, metrics)},
        checkpoints_dir=checkpoints_dir,
    )


def _card(
    config: PrmTrainingConfig, counts: Mapping[str, int], metrics: Mapping[str, float]
) -> str:
    return _CARD.format(
        base_model=config.base_model,
        model_name=config.model_name,
        separator=config.separator,
        data=config.data,
        targets=config.targets,
        rows=", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()),
        metrics="\n".join(f"| {name} | {value:.4g} |" for name, value in metrics.items()),
        config=json.dumps(config.model_dump(), indent=2),
    )
