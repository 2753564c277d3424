"""The scores of a policy of the built-in world on the dev split, for its card.

Samples with transformers itself; the project's own sampling and evaluation stages give the same
figures within their error. Every figure uses all solutions: pass@k is the unbiased estimate of Chen
et al. (arXiv:2107.03374), majority@k the mean over the disjoint groups of k solutions, ties shared
equally.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tasks.evaluation.statistics.curves import pass_at_k
from tasks.pretraining.sampling import sample_texts
from tasks.pretraining.tutoring_scores import TutoringScores, measure_tutoring
from tasks.steps.segmentation import split_steps
from tasks.world.checker import SolutionCheck, check_steps
from tasks.world.problems import WorldProblem, iterate_problems

EVAL_SEED = 1
"""Seed of the measured problems, the same for every policy."""
BUDGETS = (1, 4, 16, 64)


@dataclass(frozen=True, slots=True)
class GroupScores:
    """Mean scores of a group of problems."""

    num_problems: int
    greedy: float
    pass_at: dict[int, float]
    majority_at: dict[int, float]


@dataclass(frozen=True, slots=True)
class PolicyScores:
    """Mean scores of a policy: of all problems, by level, by trap."""

    num_solutions: int
    groups: dict[str, GroupScores]
    """By name: `all`, then `level 1` to `level 5`, then the trap kinds."""
    wrong_step_rate: float
    """Share of the right answers that were reached through a wrong step."""
    tutoring: TutoringScores
    """Reviews and second attempts."""

    def as_metrics(self) -> dict[str, float]:
        """The figures by name, such as `pass@4` or `greedy, level 3`."""
        metrics = {"wrong_step_rate": self.wrong_step_rate}
        for name, scores in self.groups.items():
            suffix = "" if name == "all" else f", {name}"
            metrics[f"greedy{suffix}"] = scores.greedy
            metrics |= {f"pass@{k}{suffix}": value for k, value in scores.pass_at.items()}
            metrics |= {f"majority@{k}{suffix}": value for k, value in scores.majority_at.items()}
        return metrics | self.tutoring.as_metrics()


def measure_policy(
    model: Any, tokenizer: Any, *, num_problems: int, num_solutions: int, seed: int
) -> PolicyScores:
    """Sample solutions of dev problems and check them exactly."""
    problems = list(islice(iterate_problems(EVAL_SEED, "dev"), num_problems))
    prompts = [problem.question + "\n" for problem in problems]
    greedy = sample_texts(model, tokenizer, prompts)
    sampled = sample_texts(model, tokenizer, prompts, num_texts=num_solutions, seed=seed)
    checks = [
        [check_steps(problem, split_steps(text, "\n")) for text in texts]
        for problem, texts in zip(problems, sampled, strict=True)
    ]
    greedy_right = [
        check_steps(problem, split_steps(texts[0], "\n")).is_correct
        for problem, texts in zip(problems, greedy, strict=True)
    ]
    right = [check for problem_checks in checks for check in problem_checks if check.is_correct]
    flawed = [check for check in right if check.first_error is not None]
    names = sorted({name for problem in problems for name in _group_names(problem)})
    return PolicyScores(
        num_solutions=num_solutions,
        groups={
            name: _score_group(
                [checks[i] for i, p in enumerate(problems) if name in _group_names(p)],
                [greedy_right[i] for i, p in enumerate(problems) if name in _group_names(p)],
            )
            for name in names
        },
        wrong_step_rate=len(flawed) / len(right) if right else 0.0,
        tutoring=measure_tutoring(model, tokenizer, problems, sampled, seed=seed),
    )


def majority_at_k(checks: Sequence[SolutionCheck], k: int) -> float:
    """How often the most common answer of k solutions is right; a missing answer is not a vote."""
    values = []
    for first in range(0, len(checks) - k + 1, k):
        group = checks[first : first + k]
        votes = Counter(check.answer for check in group if check.answer is not None)
        most = max(votes.values(), default=0)
        winners = {answer for answer, count in votes.items() if count == most}
        right = {check.answer for check in group if check.is_correct}
        values.append(len(winners & right) / len(winners) if winners else 0.0)
    return sum(values) / len(values)


def _group_names(problem: WorldProblem) -> tuple[str, str, str]:
    return "all", f"level {problem.level}", problem.traps


def _score_group(
    checks: Sequence[Sequence[SolutionCheck]], greedy_right: Sequence[bool]
) -> GroupScores:
    def mean(score: Callable[[Sequence[SolutionCheck]], float]) -> float:
        return sum(map(score, checks)) / len(checks)

    num_solutions = len(checks[0])
    budgets = [k for k in BUDGETS if k <= num_solutions]
    return GroupScores(
        num_problems=len(checks),
        greedy=sum(greedy_right) / len(greedy_right),
        pass_at={
            k: mean(lambda c, k=k: pass_at_k(len(c), sum(s.is_correct for s in c), k))
            for k in budgets
        },
        majority_at={k: mean(lambda c, k=k: majority_at_k(c, k)) for k in budgets if k > 1},
    )
