"""Self-talk: steps, critiques and mended steps in one text to learn.

Kept are talks whose last answer is right and, for monologues, that of their chain. What was given
up, cut or changed is counted by its reason.
"""

from collections.abc import Iterator

from schemas.dataset_export.talk_builders import SelfTalkConfig
from schemas.rows import Trajectory
from schemas.training_rows import TalkRow
from tasks.dataset_export.read import CheckedSource, take
from tasks.dataset_export.solved import Solution, SolvedProblem


def build(source: CheckedSource, config: SelfTalkConfig) -> Iterator[TalkRow]:
    """A row per talk, at most `per_problem` of each problem."""
    for problem, talks in source.talks():
        chains = {row.trajectory_id: row for row in talks if row.strategy == "chain"}
        usable = [row for row in talks if _is_usable(row, config, chains, source)]
        clean = source.checker.clean(problem._replace(solutions=list(map(_solution_of, usable))))
        by_id = {row.trajectory_id: row for row in usable}
        kept = take(clean.solutions if clean else [], config.per_problem)
        for solution in kept:
            yield _row_of(source, problem, solution, by_id[solution.ids[0]], chains)


def _is_usable(
    row: Trajectory, config: SelfTalkConfig, chains: dict[str, Trajectory], source: CheckedSource
) -> bool:
    """Whether a talk is of the kind to learn, whole and right; why not is counted."""
    if row.strategy == "chain" and row.status == "pruned":
        source.left_out[f"no_chain:_{_kind(row)}"] += 1
        return False
    is_other = row.strategy == "monologue" and row.parent_id not in chains
    if row.strategy != config.written or is_other:  # the chain of another policy
        return False
    if row.status != "finished":
        source.left_out[f"{row.strategy}_{row.status}:_{_kind(row)}"] += 1
        return False
    if not row.correct:
        source.left_out["wrong_answer" if row.correct is False else "ungraded"] += 1
        return False
    return True


def _kind(row: Trajectory) -> str:
    """Why a talk was given up, without what differs from row to row."""
    reason = row.reason or ("refused by the engine" if row.error else "no end")
    return reason.partition(":")[0].replace(" ", "_")


def _solution_of(row: Trajectory) -> Solution:
    """A talk as the checks read it."""
    return Solution(
        trajectory_id=row.trajectory_id,
        steps=[step.text for step in row.steps],
        correct=row.correct,
        answer=row.answer,
        score=None,
        token_ids=row.token_ids,
        vocabulary=row.vocabulary,
    )


def _row_of(
    source: CheckedSource,
    problem: SolvedProblem,
    solution: Solution,
    row: Trajectory,
    chains: dict[str, Trajectory],
) -> TalkRow:
    told = row if row.segments else chains[row.parent_id or ""]
    num_rounds = told.sample_index
    mended = f"mended {num_rounds} times" if num_rounds else "right at the first attempt"
    return TalkRow(
        prompt=source.build_prompt(problem),
        completion=solution.text,
        completion_ids=solution.token_ids,
        vocabulary=solution.vocabulary,
        source_ids=_sources(row, chains),
        problem_id=problem.problem_id,
        source=problem.source,
        level=problem.level,
        weight=1.0,
        reason=f"{row.strategy}, {mended}",
        segments=[
            {"type": kind, "text": step.text}
            for kind, step in zip(told.segments or (), told.steps, strict=True)
        ],
        answer_preserved=True,
    )


def _sources(row: Trajectory, chains: dict[str, Trajectory]) -> tuple[str, ...]:
    """The talk, and the solution or the chain that it was written from."""
    parent = chains.get(row.parent_id or "", row).parent_id
    return tuple(name for name in (row.trajectory_id, parent) if name)
