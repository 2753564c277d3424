"""Small hand-written pools of solutions, and sets built from them."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.critique_formats import LinesCritiqueConfig
from schemas.dataset_export import DatasetExportJob
from schemas.prompts import PlainPromptConfig
from schemas.rows import Critique, Problem, Step, StepLabel, StepScores, Trajectory
from schemas.units import Unit
from storage import Store
from tasks.critics.reading import read_critique
from tasks.dataset_export.build import BuiltSet, build_set
from tasks.dataset_export.sources import AskedCritic, ExportPlan, open_sources

PROBLEMS = "problems/run_id={run}/stage=problems/{set}.parquet"

Fill = Callable[..., Store]
Build = Callable[..., tuple[list[dict[str, Any]], BuiltSet]]


@pytest.fixture
def fill(
    store: Store,
    make_problem: Callable[..., Problem],
    make_trajectory: Callable[..., Trajectory],
    unit_of: Callable[..., Unit],
) -> Fill:
    """Commit a set: problems by id with their fields, solutions as (id, problem, text, correct)."""

    def fill_store(
        problems: Mapping[str, Mapping[str, Any]],
        solutions: Sequence[tuple[str, str, str, bool | None]] = (),
        *,
        set_name: str = "train",
        scores: Mapping[str, tuple[float, ...]] | None = None,
        labels: Mapping[str, Sequence[bool | None]] | None = None,
        **fields: Any,
    ) -> Store:
        rows = [
            make_problem(name, **{"split": "train", "question": f"What is {name}?", **given})
            for name, given in problems.items()
        ]
        store.commit(unit_of("problems", name=set_name, stage="problems"), rows)
        if not solutions:
            return store
        name = f"{set_name}.00000"
        trajectories = [
            make_trajectory(
                solution,
                problem_id=problem,
                steps=tuple(Step(text=t, num_tokens=1) for t in text.splitlines(keepends=True)),
                answer=text.rpartition(": ")[2],
                correct=correct,
                **fields,
            )
            for solution, problem, text, correct in solutions
        ]
        store.commit(unit_of("trajectories", name=name), trajectories)
        if scores:
            given = [
                StepScores(
                    trajectory_id=t, verifier="prm", scores=s, scored_tokens=1, cached_tokens=0
                )
                for t, s in scores.items()
            ]
            store.commit(unit_of("step_scores", name=name, stage="scoring"), given)
        if labels:
            store.commit(unit_of("step_labels", name=name, stage="step_labels"), _labels(labels))
        return store

    return fill_store


@pytest.fixture
def criticise(
    store: Store, make_trajectory: Callable[..., Trajectory], unit_of: Callable[..., Unit]
) -> Callable[..., None]:
    """Commit critiques (id, solution, problem, text) and second attempts, as solutions are given.

    A second attempt is (id, critique or None, solution, problem, text, correct).
    """

    def commit(
        critiques: Sequence[tuple[str, str, str, str]],
        attempts: Sequence[tuple[str, str | None, str, str, str, bool | None]] = (),
        *,
        name: str = "train.00000-7a1be3d90c52f468",
        num_steps: int = 2,
        attempt_fields: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        rows = [
            make_critique(critique, solution, problem, text, num_steps=num_steps, **fields)
            for critique, solution, problem, text in critiques
        ]
        store.commit(unit_of("critiques", name=name, stage="critiques"), rows)
        if not attempts:
            return
        seconds = [
            make_trajectory(
                attempt,
                problem_id=problem,
                strategy="refinement" if critique else "retry",
                role="refinement",
                parent_id=solution,
                branch_step=0,
                critique_id=critique,
                steps=tuple(Step(text=t, num_tokens=1) for t in text.splitlines(keepends=True)),
                correct=correct,
                **{"answer": text.rpartition(": ")[2], **(attempt_fields or {})},
            )
            for attempt, critique, solution, problem, text, correct in attempts
        ]
        path = f"{name}-0d93e1b7745ac2f6"
        store.commit(unit_of("trajectories", name=path, stage="refinements"), seconds)

    return commit


def make_critique(
    critique_id: str, solution: str, problem: str, text: str, *, num_steps: int, **fields: Any
) -> Critique:
    """A critique in the format `lines`."""
    read = read_critique(text, num_steps, LinesCritiqueConfig())
    values = {
        "critic": "critic-0",
        "told": "nothing",
        "sample_index": 0,
        "status": "finished",
        "fault": read.fault,
        "steps": read.steps,
        "first_error": read.first_error,
        "verdict": read.verdict,
        "leaks": False,
        "temperature": 0.0,
        "seed": 0,
        "engine": "test",
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    return Critique(
        critique_id=critique_id,
        trajectory_id=solution,
        problem_id=problem,
        text=text,
        **{**values, **fields},
    )


@pytest.fixture
def build(store: Store, tmp_path: Path) -> Build:
    """Build a set from the run; its rows, and the facts recorded about it."""

    def build_rows(
        builder: Mapping[str, Any],
        *,
        test_sets: Sequence[str] = (),
        mix_set: str | None = None,
        **job: Any,
    ) -> tuple[list[dict[str, Any]], BuiltSet]:
        plan = plan_of(builder, test_sets=test_sets, mix_set=mix_set, **job)
        folder = tmp_path / f"set-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        with open_sources(store, plan) as sources:
            built = build_set(store, plan, sources, name="made", folder=folder)
        files = sorted((folder / "made").glob("train-*.parquet"))
        return [row for file in files for row in pq.read_table(file).to_pylist()], built

    return build_rows


@pytest.fixture
def make_plan() -> Callable[..., ExportPlan]:
    return plan_of


def plan_of(
    builder: Mapping[str, Any],
    *,
    test_sets: Sequence[str] = (),
    mix_set: str | None = None,
    **job: Any,
) -> ExportPlan:
    def files(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(PROBLEMS.format(run="run", set=name) for name in names)

    values = {"builder": builder, "prompt": {"type": "plain"}, **job}
    made = DatasetExportJob.from_partial(values)
    critic = None
    if made.builder.reads == "critiques":
        critic = AskedCritic(format=LinesCritiqueConfig(), prompt=PlainPromptConfig(), engine=None)
        values["builder"] = {"format": {"type": "lines"}, **builder}
        made = DatasetExportJob.from_partial(values)
    return ExportPlan(
        job=made,
        critic=critic,
        run_ids=("run",),
        problem_files=files(("train",)),
        test_files=files(test_sets),
        original_files=files([mix_set] if mix_set else []),
    )


def _labels(labels: Mapping[str, Sequence[bool | None]]) -> list[StepLabel]:
    return [
        StepLabel(
            trajectory_id=name,
            step_index=index,
            method="mc",
            completer="policy-0",
            evidence="rollouts",
            num_rollouts=1,
            num_correct=0,
            soft=None,
            hard=hard,
            ci_low=None,
            ci_high=None,
        )
        for name, of_steps in labels.items()
        for index, hard in enumerate(of_steps)
    ]
