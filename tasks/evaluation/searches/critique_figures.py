"""What critique at test time is worth against a plain vote, as rows of `metrics`, in every bin.

The subject of a row is the search: its label, and N second attempts. Its `metric` is one of

* `any_right`: share of problems with a right answer among the attempts that vote in the pick
  (`refined`, `first_attempts`);
* `right_after`: share of chains whose standing attempt is right after the round in `arm` (0: the
  first attempts);
* `wrong_to_right`, `right_to_right`: share of the wrong (right) attempts shown to the policy after
  which the next attempt is right;
* `flags_wrong`, `passes_right`, `no_verdict`: share of the critiques of wrong attempts that call
  them wrong, of right ones that call them right, and of all that give no verdict;
* `plain_vote`, `plain_any_right`: accuracy, and share with any right answer, of as many independent
  solutions as `arm` says: `N`, `3N` (the published comparison, arXiv:2411.16579: a second attempt
  takes three texts), or `tokens`, as many as the tokens of the search pay for;
* `gain_over_plain`: paired difference of the search's accuracy to `plain_vote` at its tokens.

Plain figures are expectations over all subsets of the run's largest set of independent solutions
(`statistics/curves.py`), so they are known for every number of votes. Tokens are those that models
wrote, on both sides: neither a vote nor `refined` needs what a verifier reads. Between two numbers
of votes they are interpolated as in `figures.py`, and outside the smallest and the largest there is
no figure.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from schemas.evaluation import EvaluationConfig
from schemas.metric_names import Bin
from schemas.rows import Metric, Trajectory
from tasks.critics.chains import FIRST, REFINED, Chain, chains_of, standing_after, voters_of
from tasks.evaluation.figures import About
from tasks.evaluation.searches.bins import BinFigures
from tasks.evaluation.searches.compute_optimal import mean_known
from tasks.evaluation.searches.figures import at_equal_tokens
from tasks.evaluation.searches.grid import Cell, SearchGrid
from tasks.evaluation.solutions.candidates import Candidates, num_reached
from tasks.evaluation.statistics.curves import FloatArray, majority_curve, pass_curve
from tasks.graders.verdicts import outcome

_Pairs = list[tuple[bool, bool | None]]
"""Whether an attempt is right, and what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainTree:
    """One search of one problem."""

    chains: tuple[Chain, ...]
    num_rounds: int
    refined: _Pairs
    """Of each attempt that was shown to the policy, whether the next attempt is right."""
    critiqued: _Pairs
    """Of each critique, whether it calls its attempt right."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PlainCurve:
    """What independent solutions reach at every number k of them, from 1."""

    tokens: FloatArray
    """[num_problems] mean tokens of one solution."""
    vote: FloatArray
    """[num_problems][max_k] accuracy of a vote; nan if answers cannot be compared."""
    any_right: FloatArray
    """[num_problems][max_k] the chance that any is right."""


def critique_figures(
    grid: SearchGrid,
    trees: Mapping[Cell, Sequence[Trajectory]],
    plain: PlainCurve | None,
    bins: Mapping[Bin, Sequence[int]],
    config: EvaluationConfig,
) -> list[Metric]:
    """The figures of every search by critique.

    Args:
        grid: the decisions of all searches of the set.
        trees: the rows of each search by critique.
        plain: independent solutions of the same policy; None leaves out what needs them.
        bins: the problems of each bin, as indices.
        config: decides the intervals.
    """
    rows: list[Metric] = []
    for index, (cell, about) in enumerate(zip(grid.cells, grid.abouts(), strict=True)):
        if cell not in trees:
            continue
        found = _read_trees(grid, cell, trees[cell])
        for where, members in bins.items():
            figures = BinFigures(grid, config, where, members)
            rows += _attempt_rows(figures, about, found)
            rows += _share_rows(figures, about, [found[i] for i in members])
            if plain is not None:
                rows += _plain_rows(figures, about, index, plain)
    return rows


def plain_curve(candidates: Sequence[Candidates]) -> PlainCurve | None:
    """The curve of independent solutions; None without any."""
    max_k = num_reached(candidates)
    if not max_k:
        return None
    vote = np.full((len(candidates), max_k), np.nan)
    any_right, tokens = vote.copy(), np.full(len(candidates), np.nan)
    for place, problem in enumerate(candidates):
        usable = problem.usable()
        if not usable:
            continue
        right = [problem.correct[i] is True for i in usable]
        ks = [min(k, len(usable)) for k in range(1, max_k + 1)]
        tokens[place] = sum(problem.num_tokens) / problem.num_drawn
        any_right[place] = pass_curve(right, ks)
        if problem.has_votes:
            vote[place] = majority_curve([problem.classes[i] for i in usable], right, ks)
    return PlainCurve(tokens=tokens, vote=vote, any_right=any_right)


def _read_trees(grid: SearchGrid, cell: Cell, rows: Sequence[Trajectory]) -> list[ChainTree | None]:
    """[num_problems] the search of each problem; None for one that was not searched."""
    by_problem: dict[str, list[Trajectory]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.sample_index):
        by_problem[row.problem_id].append(row)
    return [
        _read_tree(own, cell[1]) if (own := by_problem[problem.problem_id]) else None
        for problem in grid.problems
    ]


def _read_tree(rows: Sequence[Trajectory], budget: int) -> ChainTree:
    by_id = {row.trajectory_id: row for row in rows}
    chains = chains_of([row for row in rows if row.role in (None, "refinement")], by_id)
    refined, critiqued = _Pairs(), _Pairs()
    for row in rows:
        about = by_id.get(row.parent_id or "")
        was_right = None if about is None else _outcome(about)
        if was_right is None or about is None or about.status != "finished":
            continue
        if row.role == "refinement" and (is_right := _outcome(row)) is not None:
            refined.append((was_right, is_right))
        elif row.role == "critic" and row.status != "error":
            critiqued.append((was_right, None if row.answer is None else row.answer == "right"))
    return ChainTree(
        chains=tuple(chains),
        num_rounds=budget // len(chains),
        refined=refined,
        critiqued=critiqued,
    )


def _attempt_rows(
    figures: BinFigures, about: About, trees: Sequence[ChainTree | None]
) -> list[Metric]:
    """What the attempts of each round and pick reach, as means over problems."""
    num_rounds = max((tree.num_rounds for tree in trees if tree is not None), default=0)
    right_after = [
        _column(trees, lambda tree, after=number: _standing_rate(tree, after))
        for number in range(num_rounds + 1)
    ]
    abouts = [replace(about, arm=str(number)) for number in range(num_rounds + 1)]
    picks = (REFINED, FIRST)
    any_right = [_column(trees, lambda tree, pick=pick: _any_right(tree, pick)) for pick in picks]
    return [
        *figures.means(np.stack(right_after, axis=1), abouts, "right_after"),
        *figures.means(
            np.stack(any_right, axis=1), [replace(about, pick=pick) for pick in picks], "any_right"
        ),
    ]


def _column(
    trees: Sequence[ChainTree | None], value: Callable[[ChainTree], float | None]
) -> FloatArray:
    """[num_problems] a value of each search; nan where it is not known."""
    values = [None if tree is None else value(tree) for tree in trees]
    return np.array([np.nan if each is None else each for each in values], dtype=np.float64)


def _standing_rate(tree: ChainTree, num_rounds: int) -> float | None:
    """The share of chains whose standing attempt is right; one without any is not."""
    standing = [
        standing_after(chain, num_rounds) for chain in tree.chains if not _is_refused(chain)
    ]
    known = [False if row is None else _outcome(row) for row in standing]
    graded = [is_right for is_right in known if is_right is not None]
    return sum(graded) / len(graded) if graded else None


def _any_right(tree: ChainTree, pick: str) -> float | None:
    """1 if any attempt that votes in a pick is right, 0 if none is, None if none is graded."""
    if all(map(_is_refused, tree.chains)):
        return None
    voters = [row for chain in tree.chains for row in voters_of(chain, tree.num_rounds)[pick]]
    known = [is_right for row in voters if (is_right := _outcome(row)) is not None]
    return float(any(known)) if known or not voters else None


def _is_refused(chain: Chain) -> bool:
    """Whether the engine refused every attempt of a chain, so that nothing is known of it."""
    return all(row.status == "error" for row in chain)


def _share_rows(
    figures: BinFigures, about: About, trees: Sequence[ChainTree | None]
) -> list[Metric]:
    """Shares of second attempts and of critiques."""
    known = [tree for tree in trees if tree is not None]
    refined = [pair for tree in known for pair in tree.refined]
    critiqued = [pair for tree in known for pair in tree.critiqued]
    trials = {
        "wrong_to_right": [after is True for before, after in refined if not before],
        "right_to_right": [after is True for before, after in refined if before],
        "flags_wrong": [says is False for is_right, says in critiqued if not is_right],
        "passes_right": [says is True for is_right, says in critiqued if is_right],
        "no_verdict": [says is None for _, says in critiqued],
    }
    return [
        row
        for metric, found in trials.items()
        for row in figures.share(about, metric, sum(found), len(found), len(known))
    ]


def _plain_rows(figures: BinFigures, about: About, index: int, plain: PlainCurve) -> list[Metric]:
    """The plain vote, and plain any-right, beside a search."""
    grid, members, budget = figures.grid, figures.members, about.budget or 0
    rows: list[Metric] = []
    for arm, k in (("N", budget), ("3N", 3 * budget)):
        if k <= plain.vote.shape[1]:
            columns = {"plain_vote": plain.vote, "plain_any_right": plain.any_right}
            for metric, values in columns.items():
                rows += figures.means(values[:, [k - 1]], [replace(about, arm=arm)], metric)
    spent = mean_known(grid.spent["generated_tokens"][members, index])
    each = mean_known(plain.tokens[members])
    for metric, values in (("plain_vote", plain.vote), ("plain_any_right", plain.any_right)):
        points = [(each * (k + 1), values[:, k]) for k in range(values.shape[1])]
        equal = None if np.isnan(each) else at_equal_tokens(points, spent)
        if equal is None:
            continue
        rows += figures.means(equal[:, None], [replace(about, arm="tokens")], metric)
        if metric == "plain_vote":
            gain = grid.main[:, [index]] - equal[:, None]
            rows += figures.means(gain, [replace(about, against="majority")], "gain_over_plain")
    return rows


def _outcome(row: Trajectory) -> bool | None:
    return outcome(row.status, has_answer=row.answer is not None, correct=row.correct)
