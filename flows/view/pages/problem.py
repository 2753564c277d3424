"""One problem of a run: its solutions grouped by answer, and which of them each strategy picks."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from flows.view.pages.tree import searches_of
from flows.view.site import NotThere, View
from schemas.evaluation import Reduction
from tasks.verifiers.reductions import reduce_scores

_MAX_SOLUTIONS = 1000
_SHOWN_OF_ANSWER = 40


def build(view: View) -> Mapping[str, Any]:
    """The page of a problem: a group of solutions per policy, way of sampling and round."""
    run_id, problem_id = view.need("run"), view.need("id")
    key = {"run_id": run_id, "problem_id": problem_id}
    ask = view.snapshot.ask
    problem = ask("problem_of_run", **key)
    rows = ask("solutions_of_problem", **key, num_rows=_MAX_SOLUTIONS)
    if not problem and not rows:
        raise NotThere(f"run {run_id} has no problem {problem_id}")
    scores: dict[str, dict[str, list[float]]] = defaultdict(dict)
    for each in ask("scores_of_problem", **key):
        scores[each["verifier"]][each["trajectory_id"]] = each["scores"]
    searches = searches_of(ask("decisions_of_problem", **key))
    groups: dict[tuple, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        names = ("stage", "strategy", "policy", "round", "role", "budget", "verifier")
        groups[tuple(row[name] for name in names)].append(row)
    return {
        "run_id": run_id,
        "problem_id": problem_id,
        "problem": problem[0] if problem else None,
        "groups": [
            {
                "stage": stage,
                "strategy": strategy,
                "policy": policy,
                "round": number,
                "role": role,
                "budget": budget,
                "verifier": verifier,
                "num": len(found),
                "answers": by_answer(found, scores),
                "picks": picks_of(found, scores) if budget is None and role is None else [],
            }
            for (stage, strategy, policy, number, role, budget, verifier), found in groups.items()
        ],
        "searches": searches,
        "picks": _side_by_side(searches),
        "num_verifiers": len({search["verifier"] for search in searches.values()}),
        "verifiers": sorted(scores),
        "is_cut": len(rows) == _MAX_SOLUTIONS,
        "shown": _SHOWN_OF_ANSWER,
    }


def _side_by_side(
    searches: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[Mapping[str, Any] | None]]:
    """By pick, what it decided in each search; None where the search has no such pick."""
    by_search = [{row["pick"]: row for row in search["picks"]} for search in searches.values()]
    names = dict.fromkeys(name for picks in by_search for name in picks)
    return {name: [picks.get(name) for picks in by_search] for name in names}


def by_answer(
    rows: Sequence[Mapping[str, Any]], scores: Mapping[str, Mapping[str, Sequence[float]]]
) -> list[dict[str, Any]]:
    """Solutions that give the same answer, as text, with the most votes first.

    Args:
        rows: of the query `solutions_of_problem`.
        scores: by verifier and trajectory, the scores of the steps.
    """
    groups: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        answer = row["answer"]
        groups[None if answer is None else answer.strip()].append(row)
    most = max((len(found) for found in groups.values()), default=1)
    return [
        {
            "answer": answer,
            "votes": len(found),
            "share": len(found) / most,
            "is_right": _only({row["is_right"] for row in found}),
            "score": {
                verifier: _mean(
                    [min(of[row["trajectory_id"]]) for row in found if row["trajectory_id"] in of]
                )
                for verifier, of in scores.items()
            },
            "rows": found,
        }
        for answer, found in sorted(
            groups.items(), key=lambda pair: (pair[0] is None, -len(pair[1]), str(pair[0]))
        )
    ]


def picks_of(
    rows: Sequence[Mapping[str, Any]], scores: Mapping[str, Mapping[str, Sequence[float]]]
) -> list[dict[str, Any]]:
    """What each ranker picks from all of these solutions; of equal ones the first.

    Answers are compared as text here; figures of an evaluation compare them as its grader does.
    """
    answered = [row for row in rows if row["answer"] is not None and row["status"] == "finished"]
    if not answered:
        return []
    found = [_pick("majority", _largest(_votes(answered, [1.0] * len(answered))), answered)]
    if all(row["logprob"] is not None for row in answered):
        best = max(answered, key=lambda row: row["logprob"])
        found.append(_pick("likelihood[sum]", best["answer"], answered, best))
    for verifier, of in sorted(scores.items()):
        scored = [row for row in answered if row["trajectory_id"] in of]
        if not scored:
            continue
        for how in get_args(Reduction):
            value = {
                row["trajectory_id"]: reduce_scores(of[row["trajectory_id"]], how) for row in scored
            }
            best = max(scored, key=lambda row: value[row["trajectory_id"]])
            found.append(_pick(f"best_of_n[{how}]", best["answer"], scored, best, verifier))
            winner = _largest(_votes(scored, list(value.values())))
            found.append(_pick(f"weighted[{how}]", winner, scored, None, verifier))
    return found


def _votes(rows: Sequence[Mapping[str, Any]], weights: Sequence[float]) -> dict[str, float]:
    votes: dict[str, float] = defaultdict(float)
    for row, weight in zip(rows, weights, strict=True):
        votes[row["answer"].strip()] += weight
    return votes


def _largest(votes: Mapping[str, float]) -> str:
    return max(votes, key=lambda answer: votes[answer])


def _pick(
    strategy: str,
    answer: str,
    rows: Sequence[Mapping[str, Any]],
    row: Mapping[str, Any] | None = None,
    verifier: str | None = None,
) -> dict[str, Any]:
    giving = [each for each in rows if each["answer"].strip() == answer.strip()]
    return {
        "strategy": strategy,
        "verifier": verifier,
        "answer": answer,
        "is_right": _only({each["is_right"] for each in giving}),
        "row": row,
        "num": len(rows),
    }


def _only(values: set[bool | None]) -> bool | None:
    """The verdict that all share; None if they differ or there is none."""
    return next(iter(values)) if len(values) == 1 else None


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
