"""One model: what it was made from as a drawing, what it reached, how it was trained."""

import json
from collections.abc import Mapping
from typing import Any

from flows.view.lineage import HEIGHT, WIDTH, draw_lineage, parent_of
from flows.view.pages.models import accuracies_of, models_of, sets_of
from flows.view.site import NotThere, View

_MAX_REACHED = 100
_OF_VERIFIERS = ("step_auc", "outcome_auc", "step_accuracy")


def build(view: View) -> Mapping[str, Any]:
    """The page of a model."""
    model_id, snapshot = view.need("id"), view.snapshot
    models, sets, reached = models_of(snapshot), sets_of(snapshot), accuracies_of(snapshot)
    if model_id not in models and model_id not in reached:
        raise NotThere(f"the store has no model {model_id}")
    said = snapshot.ask("figures_of_model", model_id=model_id)
    facts = json.loads(said[0]["metrics"]) if said else {}
    config = facts.pop("config", None)
    figures = {
        name: f"pass@1 {each['value']:.3f}" for name, each in reached.items() if name in models
    }
    if words := _verifier_words(facts):
        figures[model_id] = words
    return {
        "model_id": model_id,
        "model": models.get(model_id),
        "known_sets": sets,
        "known_models": models.keys() | reached.keys(),
        "parent": parent_of((models.get(model_id) or {}).get("base"), models),
        "lineage": draw_lineage(model_id, models, sets, figures),
        "box": (WIDTH, HEIGHT),
        "followers": [
            name for name, each in models.items() if parent_of(each["base"], models) == model_id
        ],
        "written": [name for name, each in sets.items() if model_id in each["policy"].split(",")],
        "reached": snapshot.ask("accuracies_of_model", model_id=model_id, num_rows=_MAX_REACHED),
        "warnings": facts.pop("warnings", None) or [],
        "figures": {name: _figure(value) for name, value in facts.items() if value is not None},
        "config": json.dumps(config, indent=2, ensure_ascii=False) if config else None,
    }


def _verifier_words(facts: Mapping[str, Any]) -> str:
    """The first figure of a verifier that it has."""
    found = [name for name in _OF_VERIFIERS if isinstance(facts.get(name), float)]
    return f"{found[0].replace('_', ' ')} {facts[found[0]]:.3f}" if found else ""


def _figure(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.5g}"
