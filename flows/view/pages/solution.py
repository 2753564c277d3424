"""One solution: its steps with all that is known about each, what followed it, its tokens."""

import difflib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from flows.tables.token_rewards import heading, shade
from flows.view.annotation import METHOD, can_mark
from flows.view.site import NotThere, View

_MAX_CHILDREN = 400
_MAX_PARENTS = 64
_MAX_TOKENS = 4000
_TRUTH = ("human", "checker", "imported", "answer", "rollouts", "judge", "inferred")
"""Evidence of labels, the most trusted first."""


def build(view: View) -> Mapping[str, Any]:
    """The page of a solution, rollout, second attempt or critique within a search."""
    run_id, trajectory_id = view.need("run"), view.need("id")
    key = {"run_id": run_id, "trajectory_id": trajectory_id}
    ask = view.snapshot.ask
    found = ask("trajectory_of_run", **key)
    if not found:
        raise NotThere(f"run {run_id} has no trajectory {trajectory_id}")
    row = found[0]
    problem = ask("problem_of_run", run_id=run_id, problem_id=row["problem_id"])
    scores = ask("scores_of_trajectory", **key)
    critiques = ask("critiques_of_trajectory", **key)
    children = ask("children_of_trajectory", **key, num_rows=_MAX_CHILDREN)
    rollouts = defaultdict(list)
    for child in children:
        if child["role"] == "rollout":
            rollouts[child["branch_step"]].append(child)
    attempts = [child for child in children if child["role"] in ("refinement", "revision")]
    of_steps = [each for each in scores if len(each["scores"]) == len(row["steps"])]
    labels = [each for each in ask("labels_of_trajectory", **key) if _is_said(each)]
    can = can_mark(row)
    before = _steps_before(view, row)
    steps = _steps(row, labels, of_steps, critiques, rollouts)
    return {
        "row": row,
        "problem": problem[0] if problem else None,
        "before": before,
        "steps": steps,
        "has_logprobs": any(step["logprob"] is not None for step in (*before, *steps)),
        "has_critics": any(step["critics"] for step in steps),
        "annotator": view.site.annotator if any(can) else None,
        "can": can,
        "marks": {each["step_index"]: each["hard"] for each in labels if each["method"] == METHOD},
        "methods": sorted({label["method"] for label in labels}),
        "first_errors": first_errors(labels),
        "verifiers": [each["verifier"] for each in of_steps],
        "whole_scores": [each for each in scores if each not in of_steps],
        "critiques": critiques,
        "rollouts": dict(sorted(rollouts.items(), key=lambda pair: pair[0] or 0)),
        "attempts": [
            {**child, "changes": changes(text_of(row), text_of(child))} for child in attempts
        ],
        "others": [
            child
            for child in children
            if child["role"] not in ("rollout", "refinement", "revision")
        ],
        "is_cut": len(children) == _MAX_CHILDREN,
        "verdicts": ask("verdicts_of_trajectory", **key),
        "judgements": ask("judgements_of_trajectory", **key),
        "rewards": [_shaded(each) for each in ask("rewards_of_trajectory", **key)],
    }


def _is_said(label: Mapping[str, Any]) -> bool:
    """Whether a label stands: a person's without a verdict takes one back."""
    return label["method"] != METHOD or label["hard"] is not None


def text_of(row: Mapping[str, Any]) -> str:
    """The text of a row's steps."""
    return "".join(step["text"] for step in row["steps"])


def first_errors(labels: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """By method of labels, the first step that it finds wrong."""
    found: dict[str, int] = {}
    for label in labels:
        if label["hard"] is False:
            method, index = label["method"], label["step_index"]
            found[method] = min(index, found.get(method, index))
    return found


def changes(before: str, after: str) -> list[tuple[str, str]]:
    """The words of two texts, each with what became of it: `same`, `gone` or `new`."""
    old, new = (re.findall(r"\s+|[^\s]+", text) for text in (before, after))
    found: list[tuple[str, str]] = []
    for kind, i, j, k, m in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(("same", "".join(old[i:j])))
            continue
        if i < j:
            found.append(("gone", "".join(old[i:j])))
        if k < m:
            found.append(("new", "".join(new[k:m])))
    return found


def _steps_before(view: View, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps that a row takes over from those it continues."""
    steps: list[dict[str, Any]] = []
    current = row
    for _ in range(_MAX_PARENTS):
        depth = current["branch_step"] or 0
        if current["parent_id"] is None or not depth:
            break
        found = view.snapshot.ask(
            "trajectory_of_run", run_id=row["run_id"], trajectory_id=current["parent_id"]
        )
        if not found:
            break
        parent = found[0]
        inherited = (parent["branch_step"] or 0) if parent["parent_id"] is not None else 0
        # `branch_step` counts steps of the parent's whole solution.
        steps = parent["steps"][: max(0, depth - inherited)] + steps
        current = {**parent, "branch_step": min(depth, inherited)}
    return steps


def _steps(
    row: Mapping[str, Any],
    labels: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    critiques: Sequence[Mapping[str, Any]],
    rollouts: Mapping[int | None, Sequence[Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """[num_steps] each step with its labels by method, scores by verifier, and critics' words."""
    errors = first_errors(labels)
    by_place = {(label["step_index"], label["method"]): label for label in labels}
    methods = sorted({label["method"] for label in labels})
    shown = []
    for index, step in enumerate(row["steps"]):
        of_step = {name: by_place.get((index, name)) for name in methods}
        hard = _most_trusted([label for label in of_step.values() if label is not None])
        shown.append(
            {
                **step,
                "index": index,
                "labels": of_step,
                "hard": hard,
                "first_error_of": [name for name, place in errors.items() if place == index],
                "is_planted": row["error_step"] == index and row["role"] == "error_path",
                "scores": [each["scores"][index] for each in scores],
                "segment": row["segments"][index] if row["segments"] else None,
                "critics": [
                    {"critique": each, **said}
                    for each in critiques
                    if index < len(each["steps"] or ())
                    for said in [each["steps"][index]]
                ],
                # A rollout of label k continues the prefix that ends with step k.
                "num_rollouts": len(rollouts.get(index + 1, ())),
            }
        )
    return shown


def _most_trusted(labels: Sequence[Mapping[str, Any]]) -> bool | None:
    known = [label for label in labels if label["hard"] is not None]
    known.sort(
        key=lambda label: _TRUTH.index(label["evidence"]) if label["evidence"] in _TRUTH else 9
    )
    return known[0]["hard"] if known else None


def _shaded(row: Mapping[str, Any]) -> dict[str, Any]:
    """A reward's tokens, each with how strongly it is shaded."""
    largest = max(map(abs, row["rewards"]), default=0.0)
    cells = [
        {"text": token, "reward": reward, "shade": shade(reward, largest), "falls": reward < 0}
        for token, reward in zip(
            row["tokens"][:_MAX_TOKENS], row["rewards"][:_MAX_TOKENS], strict=True
        )
    ]
    return {**row, "heading": heading(row), "cells": cells}
