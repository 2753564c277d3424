"""Which files a set's critics wrote, and the unit of their figures."""

from collections import Counter
from collections.abc import Mapping, Sequence

from flows.runs.measuring import measure_once
from flows.runs.sets import (
    error_path_files,
    label_files,
    named_files,
    problems_path,
    sampled_files,
    verdict_files,
)
from flows.runs.truth import known_kinds
from schemas.critiques import CritiquesJob
from schemas.evaluation import EvaluationConfig
from schemas.rows import CRITIQUES, TRAJECTORIES, VERDICTS, Metric, Verdict
from schemas.unit_names import (
    CritiquesName,
    ErrorPathsName,
    RefinementsName,
    SolutionsName,
)
from schemas.units import Stage
from storage import Store
from tasks.evaluation.task import evaluate_critics
from tasks.graders.verdicts import outcome


def followed_files(store: Store, run_id: str, set_name: str) -> dict[str, list[str]]:
    """By file of critiques of a set's sampled solutions, the second attempts that followed it."""
    critiques = named_files(store, CritiquesName, CRITIQUES.name, run_id, Stage.CRITIQUES)
    attempts = named_files(store, RefinementsName, TRAJECTORIES.name, run_id, Stage.REFINEMENTS)
    return {
        path: [p for p, of in attempts.items() if of.critiques == name]
        for path, name in critiques.items()
        if isinstance(name.read, SolutionsName) and name.group.set_name == set_name
    }


def refinement_files(store: Store, run_id: str, set_name: str) -> list[str]:
    """The files of second attempts at a set's solutions; may be empty."""
    names = named_files(store, RefinementsName, TRAJECTORIES.name, run_id, Stage.REFINEMENTS)
    return [path for path, name in names.items() if name.group.set_name == set_name]


def count_chosen(store: Store, graded: Mapping[str, Sequence[str]], job: CritiquesJob) -> int:
    """How many solutions a job critiques.

    Solutions that are all thought, which nobody critiques, are counted as well.

    Args:
        store: where the rows lie.
        graded: by file of solutions, the files that decide what is said about them; those of later
            verdicts are read.
        job: which solutions.
    """
    num = 0
    for path, read in graded.items():
        columns = ("trajectory_id", "problem_id", "status", "answer", "correct")
        rows = store.columns(path, columns).to_pylist()
        files = [file for file in read if file.startswith(f"{VERDICTS.name}/")]
        verdicts: list[Verdict] = [verdict for file in files for verdict in store.read(file)]
        verdicts.sort(key=lambda each: each.created_at)
        newest = {verdict.trajectory_id: verdict for verdict in verdicts}
        num_of = Counter[str]()
        for row in rows:
            later = newest.get(row["trajectory_id"])
            answer, correct = (
                (row["answer"], row["correct"]) if later is None else (later.answer, later.correct)
            )
            right = outcome(row["status"], has_answer=answer is not None, correct=correct)
            is_wanted = job.which == "all" or right is (job.which == "right")
            if row["status"] == "finished" and is_wanted:
                num_of[row["problem_id"]] += 1
        most = job.max_per_problem
        num += sum(n if most is None else min(n, most) for n in num_of.values())
    return num


def files_to_critique(
    store: Store, run_id: str, job: CritiquesJob
) -> dict[str, SolutionsName] | dict[str, ErrorPathsName]:
    """The files of the set that a job reads, of all rounds, and their names.

    Raises:
        ValueError: the set has none.
    """
    if job.of == "error_paths":
        return error_path_files(store, run_id, job.set_name)
    return {path: SolutionsName.of(path) for path in sampled_files(store, run_id, job.set_name)}


def critiqued_files(store: Store, run_id: str, job: CritiquesJob) -> dict[str, int]:
    """The files of solutions that a job reads, each with how many of them it critiques.

    Raises:
        ValueError: the set has none.
    """
    names = files_to_critique(store, run_id, job)
    paths = [path for path, name in names.items() if job.round in (None, name.group.round)]
    graded = verdict_files(store, run_id, paths)
    return {path: count_chosen(store, {path: graded[path]}, job) for path in paths}


def mean_tokens(store: Store, paths: Sequence[str]) -> int | None:
    """Mean generated tokens of the solutions in these files; None without any."""
    counts = [
        row["generated_tokens"]
        for path in paths
        for row in store.columns(path, ("generated_tokens",)).to_pylist()
    ]
    return max(round(sum(counts) / len(counts)), 1) if counts else None


def measure_critics(
    store: Store, run_id: str, set_name: str, config: EvaluationConfig
) -> list[Metric]:
    """The figures of every critic of a set, measured unless they are there; empty without any."""
    followed = followed_files(store, run_id, set_name)
    if not followed:
        return []
    sampled, problems = (
        sampled_files(store, run_id, set_name),
        problems_path(run_id, set_name),
    )
    attempts = [path for paths in followed.values() for path in paths]
    graded = verdict_files(store, run_id, [*sampled, *attempts])
    inputs = (
        problems,
        *sampled,
        *label_files(store, run_id, set_name),
        *(path for of in graded.values() for path in of),
        *followed,
        *attempts,
    )
    return measure_once(
        store,
        run_id,
        f"critics-{set_name}",
        inputs,
        lambda unit: evaluate_critics(
            store.url,
            unit,
            config,
            set_name=set_name,
            followed=followed,
            kinds=known_kinds(store, problems),
        ),
        settings=config.config_hash(),
    )
