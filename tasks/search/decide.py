"""Answers from stored trees: `decisions` rows, one per problem and pick.

Reads only the files of one strategy at one budget, so another pick never needs another search. A
search without a finished candidate is `unfinished` and wrong; one that the engines refused is an
`error` and ungraded.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import get_args

from schemas.evaluation import Reduction
from schemas.rows import Decision, DecisionStatus, Problem, Trajectory, now
from schemas.search import SearchJob
from schemas.search.critique import CritiqueConfig
from schemas.search.strategies import Strategy
from schemas.units import derive_seed
from tasks.critics.chains import REFINED, chain_of, chains_of, voters_of
from tasks.graders import Grader, has_votes
from tasks.search.picks import Candidate, pick_all
from tasks.search.tree import SOLUTION_ROLES
from tasks.steps.trees import whole_steps


def decide(
    problems: Sequence[Problem],
    rows: Sequence[Trajectory],
    *,
    job: SearchJob,
    strategy: Strategy,
    grader: Grader,
) -> list[Decision]:
    """The answer of every pick to every searched problem, in the order of the problems."""
    trees: dict[str, list[Trajectory]] = defaultdict(list)
    for row in rows:
        trees[row.problem_id].append(row)
    return [
        decision
        for problem in problems
        if (tree := trees.get(problem.problem_id))
        for decision in _decide_one(tree, job=job, strategy=strategy, grader=grader)
    ]


def main_pick(job: SearchJob, strategy: Strategy, *, has_votes: bool = True) -> str:
    """The pick whose result is reported for a strategy.

    A weighted vote becomes a majority vote without a verifier, and the best by the verifier if
    answers cannot be compared.

    Raises:
        ValueError: the strategy depends on votes, and answers cannot be compared.
    """
    reduction = job.score.how
    by_verifier = strategy.default_pick in ("weighted", REFINED) and job.verifier is not None
    if strategy.default_pick == "chosen":
        return "chosen"
    if strategy.default_pick == REFINED and has_votes:
        return REFINED
    if strategy.default_pick == "best":
        return f"best_of_n[{reduction}]" if job.score.by == "verifier" else job.score.name
    if by_verifier and not has_votes:
        return f"best_of_n[{reduction}]"
    if not has_votes:
        raise ValueError(
            f"{strategy.type}: expected a grader whose answers can be compared, as its answer is "
            f"chosen by votes, got {job.grader.type}; choose a strategy that picks by a score"
        )
    if by_verifier:
        return f"chains[{reduction}]" if strategy.has_chains else f"weighted[{reduction}]"
    return "confidence" if strategy.default_pick == "confidence" else "majority"


def check_picks(job: SearchJob) -> None:
    """Refuse a job with a strategy whose answer could never be chosen.

    Raises:
        ValueError: see `main_pick`.
    """
    for strategy in job.strategies:
        main_pick(job, strategy, has_votes=has_votes(job.grader))


def _decide_one(
    tree: Sequence[Trajectory], *, job: SearchJob, strategy: Strategy, grader: Grader
) -> list[Decision]:
    first = tree[0]
    label = job.label(strategy)
    by_id = {row.trajectory_id: row for row in tree}
    solutions = [row for row in tree if row.role in SOLUTION_ROLES and row.status != "pruned"]
    candidates = _candidates(solutions, by_id, grader, strategy)
    errors = [row.error for row in tree if row.status == "error"]
    status: DecisionStatus = "decided" if candidates else "unfinished"
    if solutions and all(row.status == "error" for row in solutions):
        status = "error"
    picks = pick_all(
        candidates,
        job.score,
        get_args(Reduction),
        has_chains=strategy.has_chains,
        has_votes=grader.comparable,
        seed=derive_seed(job.seed, "ties", first.problem_id),
    )
    if strategy.default_pick == "chosen":
        picks["chosen"] = candidates[0] if candidates else None
    main = main_pick(job, strategy, has_votes=grader.comparable)
    picks.setdefault(main, None)
    decided = [(pick, by_id[c.trajectory_id] if c else None) for pick, c in picks.items()]
    made_at = now()
    return [
        Decision(
            problem_id=first.problem_id,
            set_name=job.set_name,
            policy=first.policy,
            verifier=first.verifier,
            strategy=label,
            budget=first.budget or 0,
            pick=pick,
            is_main=pick == main,
            status=status,
            trajectory_id=row.trajectory_id if row else None,
            answer=row.answer if row else None,
            correct=row.correct if row else (None if status == "error" else False),
            num_candidates=len(solutions),
            num_finished=len(candidates),
            num_rows=len(tree),
            prompt_tokens=sum(r.prompt_tokens for r in tree),
            cached_tokens=sum(r.cached_tokens for r in tree),
            generated_tokens=sum(r.generated_tokens + (r.verifier_tokens or 0) for r in tree),
            scored_tokens=sum(r.scored_tokens for r in tree),
            error=errors[0] if errors else None,
            created_at=made_at,
        )
        for pick, row in decided
    ]


def _candidates(
    rows: Sequence[Trajectory],
    by_id: dict[str, Trajectory],
    grader: Grader,
    strategy: Strategy,
) -> list[Candidate]:
    """The finished solutions, with the likelihood and scores of all their steps."""
    finished = [row for row in rows if row.status == "finished"]
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    if isinstance(strategy, CritiqueConfig):
        for chain in chains_of(rows, by_id):
            for pick, voters in voters_of(chain, strategy.rounds).items():
                for row in voters:
                    votes[row.trajectory_id][pick] += 1
    classes = grader.classes([row.answer for row in finished])
    candidates = []
    for row, answer_class in zip(finished, classes, strict=True):
        steps = whole_steps(row, by_id)
        logprobs = [step.logprob for step in steps]
        known = [logprob for logprob in logprobs if logprob is not None]
        reads_confidence = strategy.default_pick == "confidence" and steps
        candidates.append(
            Candidate(
                trajectory_id=row.trajectory_id,
                answer_class=answer_class,
                logprob=sum(known) if known and len(known) == len(logprobs) else None,
                scores=tuple(step.score for step in steps if step.score is not None),
                chain=chain_of(row, by_id),
                votes=votes[row.trajectory_id],
                confidence=steps[-1].value if reads_confidence else None,
            )
        )
    return candidates
