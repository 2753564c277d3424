"""The description of a set: a card, a picture of lengths, and set.json for programs.

`datasets.load_dataset` reads the front matter of the card (README.md).
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tasks.dataset_export.figures import SetFigures

SET_FILE = "set.json"
PICTURE = "lengths.png"

_TAGS = {
    "prompt_completion": "sft",
    "preference": "dpo",
    "prompt_only": "grpo",
    "stepwise": "prm",
}
_TRAINERS = {
    "prompt_completion": "SFTTrainer",
    "preference": "DPOTrainer",
    "prompt_only": "GRPOTrainer",
    "stepwise": "PRMTrainer",
}
_LEARNED = {
    "prompt_completion": "completion",
    "preference": "chosen completion",
    "prompt_only": "prefix",
    "stepwise": "steps",
}
_START_STATES = """
# A solution continues the prefix and is graded together with it.
rows = rows.map(lambda row: {"prompt": row["prompt"] + row["prefix"]})
"""
_STEP_LABELS = """
from trl.experimental.prm import PRMConfig, PRMTrainer

arguments = PRMConfig(step_separator=%s, ...)
"""
_STEPS = """
# These completions are parts of solutions, so the end of text that TRL appends must be removed.
trainer = DPOTrainer(..., train_dataset=rows)
trainer.train_dataset = trainer.train_dataset.map(
    lambda row: {name: row[name][:-1] for name in ("chosen_ids", "rejected_ids")}
)
"""
_CARD = """\
---
configs:
- config_name: default
  data_files:
  - split: train
    path: train-*.parquet
tags:
- stepmill
- {kind}
- {tag}
---
# {name}

{num_rows:,} rows of the form `{form}`, for TRL's {trainer}, from {num_problems:,} problems.

```python
from datasets import load_dataset

rows = load_dataset("path/to/{name}", split="train")
{usage}```

## What it was made from

| | |
|---|---|
| builder | {kind} |
| runs | {runs} |
| sets of problems | {set_names} |
| policy | {policies} |
| verifier | {verifier} |
| step labels | {method} |{critics}
| kept | {filters} |
| separator of steps | `{separator}` |
| prompt | {prompt} |

## Rows

{tables}

![lengths]({picture})

## What was left out

{left_out}

## Examples

{examples}

## Config

```json
{config}
```
"""


def write_card(folder: Path, facts: Mapping[str, Any], figures: SetFigures) -> None:
    """Write README.md, the picture and set.json into a set's folder.

    Args:
        folder: the folder of the set.
        facts: the content of set.json.
        figures: counts and examples of the rows.
    """
    (folder / SET_FILE).write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n")
    plot_lengths(figures, folder / PICTURE, learned=_LEARNED[facts["form"]])
    text = _CARD.format(
        **{name: facts[name] for name in ("name", "kind", "form")},
        tag=_TAGS[facts["form"]],
        trainer=_TRAINERS[facts["form"]],
        usage=_usage(facts),
        num_rows=figures.num_rows,
        num_problems=figures.num_problems,
        runs=_words(facts["runs"]),
        set_names=_words(facts["config"]["source"]["set_names"]),
        policies=_words(facts["policies"]),
        verifier=_words([facts["verifier"]] if facts["verifier"] else []),
        method=_words([facts["method"]] if facts["method"] else []),
        critics=f"\n| critics | {_words(facts['critics'])} |" if "critics" in facts else "",
        filters=facts["filters"],
        separator=json.dumps(facts["separator"])[1:-1],
        prompt="a finished chat template" if facts["has_chat_template"] else "plain text",
        tables="\n\n".join(_count_tables(figures)),
        picture=PICTURE,
        left_out=_left_out(facts["counts"]),
        examples="\n\n".join(map(_example, figures.examples)),
        config=json.dumps(facts["config"], indent=2, ensure_ascii=False),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")


def plot_lengths(figures: SetFigures, path: Path, *, learned: str) -> None:
    """Write a PNG with a histogram of the rows' lengths in characters."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.5))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.11, 0.16, 0.86, 0.8))
    axes.hist(figures.lengths, bins=40, color="#56B4E9")
    axes.set_xlabel(f"characters of the {learned}")
    axes.set_ylabel("rows")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=100)


def _usage(facts: Mapping[str, Any]) -> str:
    """Code that TRL's own trainer needs after the rows are loaded."""
    if facts["form"] == "prompt_only":
        return _START_STATES
    if facts["form"] == "stepwise":
        return _STEP_LABELS % json.dumps(facts["separator"])
    return "" if facts["ends_with_text"] else _STEPS


def _count_tables(figures: SetFigures) -> list[str]:
    tables = [_table("level", figures.levels), _table("source", figures.sources)]
    if figures.stages:
        tables += [_table("stage", figures.stages), _table("steps to go", figures.steps_to_go)]
    if figures.labels:
        tables.append(_table("step label", figures.labels))
    return tables


def _table(name: str, counts: Mapping[Any, int]) -> str:
    total = sum(counts.values())
    lines = [f"| {name} | rows | share |", "|---|---:|---:|"]
    lines += [f"| {key} | {counts[key]:,} | {counts[key] / total:.1%} |" for key in sorted(counts)]
    return "\n".join(lines)


def _left_out(counts: Mapping[str, Any]) -> str:
    lines = [
        f"* {number:,} {what}: {reason.replace('_', ' ')}"
        for what, reasons in counts["left_out"].items()
        for reason, number in reasons.items()
    ]
    return "\n".join(lines) or "Nothing."


def _example(row: Mapping[str, Any]) -> str:
    return f"```json\n{json.dumps(row, indent=2, ensure_ascii=False)}\n```"


def _words(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
