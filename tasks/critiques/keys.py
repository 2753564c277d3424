"""What a critic is told of a solution besides question and text."""

from collections.abc import Iterable, Mapping, Sequence

from schemas.critiques import CritiquesJob
from schemas.error_paths import ERROR_PATH, InjectedConfig
from schemas.rows import Problem, Trajectory
from tasks.critics.asking import ShownSolution

_INJECTED = InjectedConfig().type


def find_keys(
    problems: Mapping[str, Problem],
    solutions: Sequence[Trajectory],
    job: CritiquesJob,
    further: Iterable[Trajectory] = (),
) -> dict[str, str]:
    """By trajectory id what the critic is told of a solution, where it is known.

    Args:
        problems: by problem id.
        solutions: those that are critiqued.
        job: says what the critic is told.
        further: solutions of the same problems, of which right ones are told.
    """
    told = job.critic.told
    if told == "nothing":
        return {}
    if told == "solution":
        known = _right_solutions(problems, [*solutions, *further])
    elif told == "answer":
        known = {p.problem_id: f"Answer: {p.answer}" for p in problems.values()}
    else:
        return {row.trajectory_id: known_words(problems[row.problem_id], row) for row in solutions}
    return {
        row.trajectory_id: known[row.problem_id] for row in solutions if row.problem_id in known
    }


def known_words(problem: Problem, solution: Trajectory) -> str:
    """The answer and, of an error path, what is known of its error; steps count from 1."""
    words = [f"Answer: {problem.answer}"]
    if solution.role == ERROR_PATH and solution.error_step is not None:
        number = solution.error_step - ShownSolution.of(solution).num_hidden + 1
        place = f"Step {number} has an error"
        if solution.strategy != _INJECTED:
            place = f"Of an error in step {number} or later"
        words.append(f"{place}: {solution.error_note}")
    return "\n".join(words)


def _right_solutions(
    problems: Mapping[str, Problem], solutions: Iterable[Trajectory]
) -> dict[str, str]:
    """A right solution of each problem: the worked one that came with it, or else the first."""
    keys = {p.problem_id: p.solution for p in problems.values() if p.solution}
    for row in solutions:
        if row.correct and row.status == "finished" and row.strategy != _INJECTED:
            keys.setdefault(row.problem_id, "\n".join(ShownSolution.of(row).steps))
    return keys
