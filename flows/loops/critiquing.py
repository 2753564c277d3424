"""Critiques within a loop: whose solutions are read by whom, and the files that come of it."""

from dataclasses import dataclass
from statistics import fmean
from typing import Any

import pyarrow as pa

from flows.critiques import critique, critiques_units, refinements_unit
from flows.loops.loop import EVAL, Arm, Loop
from flows.runs.sets import named_files, problems_path
from schemas.critiques import CritiquesJob
from schemas.metric_names import Bin
from schemas.rows import METRICS, TRAJECTORIES, Metric
from schemas.unit_names import SolutionsGroup, SolutionsName
from schemas.units import Stage, Unit
from storage import Store
from tasks.engines.open import identify_engine
from tasks.evaluation.critiqued import second_attempt_rows
from tasks.evaluation.figures import About, FigureWriter
from tasks.graders.verdicts import outcome


@dataclass(frozen=True, slots=True)
class Critiqued:
    """The committed files of critiques, with those that they belong to, in the same order."""

    solutions: tuple[str, ...]
    critiques: tuple[str, ...]
    refinements: tuple[str, ...]
    """Empty if the actor did not try again."""


def have_critiqued(loop: Loop, job: CritiquesJob) -> Critiqued:
    """Run the stage `critiques` in the run of a loop; only what is missing is done."""
    loop.release()
    store = loop.store
    critique(job, store.url, loop.run_id)
    units = [unit for unit in critiques_units(job, store, loop.run_id) if store.has(unit)]
    tried = [refinements_unit(job, unit) for unit in units]
    return Critiqued(
        solutions=tuple(unit.inputs[0] for unit in units),
        critiques=tuple(unit.path for unit in units),
        refinements=tuple(unit.path for unit in tried if store.has(unit)),
    )


def critics_of(store: Store, paths: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of what wrote the critiques in these files, in order."""
    return tuple(sorted({name for path in paths for name in set(store.column(path, "critic"))}))


def columns_of(loop: Loop, paths: tuple[str, ...], *names: str) -> list[dict[str, Any]]:
    """Some columns of committed files, a dictionary per row."""
    tables = [loop.store.columns(path, names) for path in paths]
    return pa.concat_tables(tables).to_pylist() if tables else []


def critique_figures(loop: Loop, made: Critiqued) -> dict[str, float]:
    """Counts of critiques and second attempts with them: how many, how good, and all tokens.

    `refined_right_share` is of the second attempts that could be judged; missing without any.
    """
    critiques = columns_of(loop, made.critiques, "fault", "verdict", "generated_tokens")
    names = ("critique_id", "status", "answer", "correct", "generated_tokens")
    tries = columns_of(loop, made.refinements, *names)
    # Without a critique they are retries, which cost as much but say nothing of the critic.
    helped = [
        outcome(row["status"], has_answer=row["answer"] is not None, correct=row["correct"])
        for row in tries
        if row["critique_id"] is not None
    ]
    judged = [right for right in helped if right is not None]
    figures: dict[str, float] = {
        "num_critiques": len(critiques),
        "num_judgements": sum(row["verdict"] is not None for row in critiques),
        "num_faultless_critiques": sum(row["fault"] is None for row in critiques),
        "num_refinements": len(helped),
        "num_right_refinements": sum(judged),
        "critiquing_tokens": sum(row["generated_tokens"] for row in (*critiques, *tries)),
    }
    if judged:
        figures["refined_right_share"] = fmean(judged)
    return figures


def measure_second_attempts(
    loop: Loop, arm: str, label: str, number: int, job: CritiquesJob
) -> None:
    """Commit the accuracy of an arm's policy before and after critiques of its held-out solutions.

    Args:
        loop: the loop.
        arm: the name of the arm.
        label: the round of the policy, as figures name it.
        number: the round of its held-out solutions.
        job: the policy, how its solutions are critiqued, and by whom; of whatever set.
    """
    store = loop.store
    unit = Unit(
        run_id=loop.run_id,
        stage=loop.config.name,
        name=f"{arm}.{label}.critiqued",
        table=METRICS.name,
    )
    if store.has(unit):
        return
    made = have_critiqued(loop, job.with_fields(set_name=EVAL, round=number, which="all"))
    rows = second_attempt_rows(
        arm,
        label,
        identify_engine(job.policy),
        problems=store.read(problems_path(loop.run_id, EVAL)),
        solutions=[row for path in made.solutions for row in store.read(path)],
        critiques=[row for path in made.critiques for row in store.read(path)],
        refinements=[row for path in made.refinements for row in store.read(path)],
        config=loop.config.evaluation,
    )
    store.commit(unit, rows)


def length_row(loop: Loop, arm: Arm, label: str, number: int) -> Metric:
    """The mean number of tokens of the held-out solutions of an arm's policy.

    Args:
        loop: the loop.
        arm: the arm.
        label: the round of the policy, as figures name it.
        number: the round of its held-out solutions, and its place among the policies of the arm.
    """
    policy = identify_engine(arm.policies[number])
    group = SolutionsGroup.of_round(EVAL, number, policy)
    files = named_files(loop.store, SolutionsName, TRAJECTORIES.name, loop.run_id, Stage.SAMPLING)
    paths = tuple(path for path, name in files.items() if name.group == group)
    rows = columns_of(loop, paths, "problem_id", "generated_tokens")
    return FigureWriter(policy, loop.config.evaluation).row(
        About("pool", arm=arm.name),
        "mean_solution_tokens",
        fmean(row["generated_tokens"] for row in rows),
        len({row["problem_id"] for row in rows}),
        bin_name=str(Bin(round=label)),
    )
