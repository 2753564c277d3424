"""Small hand-written pools of solutions, and sets built from them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.dataset_export import DatasetExportJob
from schemas.rows import Problem, Step, StepLabel, StepScores, Trajectory
from schemas.units import Unit
from storage import Store
from tasks.dataset_export.build import BuiltSet, build_set
from tasks.dataset_export.sources import ExportPlan, open_sources

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
    return ExportPlan(
        job=DatasetExportJob.from_partial(values),
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
