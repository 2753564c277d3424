"""What a loop of one round leaves in a store: its solutions, a set of them, two models, figures."""

import json
from datetime import UTC, datetime

from schemas.rows import Metric, Model, ModelRole, RunEvent, TrainingSet
from schemas.training_rows import CompletionRow
from tasks.dataset_export.write import spool_rows

AT = datetime(2026, 1, 2, tzinfo=UTC)
HOSTILE_ROW = "<b onclick=x>row</b>"


def fill_learned(store, unit_of, make_problem, make_trajectory):
    """In the run `loop`: `second` began as `first` and learned from a set that `first` wrote."""
    store.commit(
        unit_of("problems", name="train", stage="problems", run_id="loop"),
        [make_problem("q0", question="3 + 3 is what?", answer="6", split="train")],
    )
    rows = [
        make_trajectory(f"s{n}", problem_id="q0", sample_index=n, policy="first", round=1,
                        answer="6", correct=n > 0)
        for n in range(3)
    ]  # fmt: skip
    store.commit(unit_of("trajectories", name="train.00000", run_id="loop"), rows)
    folder = store.root / "datasets" / "rest-1"
    folder.mkdir(parents=True)
    spool_rows(folder / "train-00000.parquet", "prompt_completion", _rows(), lambda num: None)
    built = TrainingSet(
        name="rest-1", kind="rest", form="prompt_completion", path="datasets/rest-1", num_rows=23,
        policy="first", config=json.dumps({"source": {"more_runs": ["run"]}}),
        counts=json.dumps(
            {
                "rows": 23, "by_level": {"1": 20, "2": 3},
                "left_out": {"solutions": {"equal_text": 1033}, "problems": {}},
                "solutions": {"ended": 30, "cut": 2},
            }
        ),
        created_at=AT,
    )  # fmt: skip
    store.commit(
        unit_of("training_sets", name="rest-1", stage="dataset_export", run_id="loop"), [built]
    )
    models = [
        _model("first", base=None, training_set="simulated students"),
        _model("second", base="/elsewhere/checkpoints/first", training_set="rest-1"),
        _model("judge-1", role="verifier", base="hub/model", training_set="gone-1", step_auc=0.875),
    ]
    for model in models:
        stage = "prm_training" if model.role == "verifier" else "policy_training"
        unit = unit_of("models", name=model.model_id, stage=stage, run_id="loop")
        store.commit(unit, [model])
    figures = [
        _figure(f"round={label}", f"{name}@{n}", policy, value, arm="rest", budget=n)
        for label, policy, values in (("0", "first", (0.25, 0.375)), ("1", "second", (0.5, 0.625)))
        for (name, n), value in zip((("pass", 1), ("majority", 4)), values, strict=True)
    ]
    figures += [
        _figure("all", "accuracy", policy, value, strategy="pass", budget=1)
        for policy, value in (("first", 0.25), ("second", 0.5))
    ]
    store.commit(unit_of("metrics", name="eval-1", stage="evaluation", run_id="loop"), figures)
    event = RunEvent(
        flow="rest", part=None, state="completed", config="{}", config_hash="h", code_version="0",
        message=None, happened_at=AT,
    )  # fmt: skip
    store.commit(unit_of("runs", name="completed-rest", stage="rest", run_id="loop"), [event])


def _rows():
    for n in range(23):
        source_ids = {0: ("s1", "t1"), 1: ("nowhere",), 2: (), 3: ("c0",)}.get(n, ("s2",))
        yield CompletionRow(
            prompt="3 + 3 is what?\n", completion=f"row {n}" if n else HOSTILE_ROW,
            completion_ids=(1, 2), source_ids=source_ids, problem_id="q0", source="test", level=1,
            weight=1.0, reason="right",
        )  # fmt: skip


def _model(model_id, *, base, training_set, role: ModelRole = "policy", **figures):
    return Model(
        model_id=model_id, role=role, path=f"checkpoints/{model_id}", base=base,
        training_set=training_set, created_at=AT,
        metrics=json.dumps({"loss": 0.125, "warnings": [], "config": {"seed": 7}, **figures}),
        num_parameters=31_712,
    )  # fmt: skip


def _figure(bin_, metric, policy, value, *, strategy=None, arm=None, budget=None):
    return Metric(
        policy=policy, verifier=None, strategy=strategy or metric.split("@")[0], budget=budget,
        bin=bin_, metric=metric, value=value, ci_low=value - 0.1, ci_high=value + 0.1,
        num_problems=2, set_name="eval", arm=arm, created_at=AT,
    )  # fmt: skip
