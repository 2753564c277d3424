"""OmegaPRM: a tree of rollouts per question, grown where a first error is worth searching for.

A state is a prefix with its rollouts, MC the share of right ones among them. The pool has the wrong
rollouts of the states with 0 < MC < 1. Of these, one with the greatest Q + U is selected and
bisected for its first error (arXiv:2406.06592, section 3.3, equations 1 to 3):

    Q(s, r) = alpha^(1 - MC(s)) * beta^(tokens(r) / L)
    U(s)    = c_puct * sqrt(sum of all visits) / (1 + visits(s))

Every prefix that is tested becomes a state, whose wrong rollouts join the pool. A visit is a
selection of the state: in public implementations visits are not counted and selected rollouts
return, so that a few pairs are selected again and again.

Deviations: the stored solutions of a question are the first rollouts of its root, the empty prefix;
those that the completer did not draw can be selected, but do not count for MC. A rollout without a
verdict is neither right nor wrong. Equal rollouts of a state are selected once. A prefix without a
verdict ends a search.

The tree is a generator that asks for rollouts, so it grows alike from an engine and from rows.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field, replace
from math import sqrt

from schemas.rows import Trajectory
from schemas.step_labels import MonteCarloConfig, TreeConfig
from tasks.step_labels.bisection import bisect_first_error
from tasks.step_labels.estimates import Verdicts, hard_label, right_share
from tasks.step_labels.prefixes import PrefixKey, prefix_key, prefix_keys
from tasks.steps.token_ids import prefix_ids, token_columns

Ask = tuple[Trajectory, int]
"""A request for the rollouts of a prefix: a whole solution, and how many steps of it to keep."""
Growth = Generator[Ask, Sequence[Trajectory], "Tree"]
"""A tree that grows; it is sent the rollouts that it asks for."""


@dataclass(slots=True)
class State:
    """A prefix that was tested."""

    num_steps: int
    verdicts: Verdicts
    visits: int = 0
    """How often one of its rollouts was selected."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A wrong rollout of a state; the whole solution that it makes has the rollout's id."""

    state: State
    solution: Trajectory

    @property
    def num_tokens(self) -> int:
        """The tokens of the rollout, without the state's prefix."""
        return sum(step.num_tokens for step in self.solution.steps[self.state.num_steps :])


@dataclass(slots=True)
class Tree:
    """The tree of one question."""

    config: MonteCarloConfig
    solutions: dict[str, Trajectory]
    """By text: the question's stored solutions, and whole solutions of selected rollouts."""
    states: dict[PrefixKey, State] = field(default_factory=dict)
    """By prefix, in the order in which they were tested; the first is the root."""
    pool: list[Candidate] = field(default_factory=list)
    num_rollouts: int = 0
    num_searches: int = 0

    def add_state(
        self, whole: Trajectory, num_steps: int, rows: Sequence[Trajectory], known: Verdicts = ()
    ) -> State:
        """Add a tested prefix; its wrong rollouts join the pool if others are right."""
        state = State(num_steps, (*known, *(row.correct for row in rows)))
        self.states[prefix_key(whole, num_steps)] = state
        self.num_rollouts += len(rows)
        self.offer(state, [join_rollout(whole, num_steps, row) for row in rows])
        return state

    def offer(self, state: State, solutions: Sequence[Trajectory]) -> None:
        """Add the wrong ones among whole solutions that continue a state to the pool."""
        if right_share(state.verdicts) in (None, 0, 1):
            return
        texts = {each.solution.text for each in self.pool if each.state is state}
        for solution in solutions:
            if solution.correct is False and solution.steps and solution.text not in texts:
                texts.add(solution.text)
                self.pool.append(Candidate(state, solution))

    def select(self) -> Candidate | None:
        """Take the candidate with the greatest Q + U, the first among equals; None if none is left.

        Its state is visited.
        """
        if not self.pool:
            return None
        total = sum(state.visits for state in self.states.values())
        chosen = max(self.pool, key=lambda each: self.priority(each, total))
        self.pool = [each for each in self.pool if each is not chosen]
        chosen.state.visits += 1
        self.num_searches += 1
        return chosen

    def priority(self, candidate: Candidate, total_visits: int) -> float:
        """Q + U of a candidate."""
        state, config = candidate.state, self.config.tree
        share = right_share(state.verdicts)
        assert share is not None
        return exploitation(share, candidate.num_tokens, config) + exploration(
            state.visits, total_visits, config
        )

    def may_search(self) -> bool:
        """Whether the limits allow another search."""
        limits = self.config.tree
        is_paid = limits.max_rollouts is None or self.num_rollouts < limits.max_rollouts
        return is_paid and self.num_searches < limits.max_searches

    def verdicts(self, solution: Trajectory) -> list[bool | None]:
        """[num_steps] what tests and the answer say about each step of a solution.

        An untested step before one that is right is right, one after one that is wrong is wrong.
        """
        labels: list[bool | None] = [
            hard_label(self.states[key].verdicts, self.config) if key in self.states else None
            for key in prefix_keys(solution)
        ]
        labels.append(solution.correct)
        last_right = max((i for i, label in enumerate(labels) if label), default=-1)
        first_wrong = labels.index(False) if False in labels else len(labels)
        return [
            label
            if label is not None
            else True
            if index < last_right
            else False
            if index > first_wrong
            else None
            for index, label in enumerate(labels)
        ]


def exploitation(share: float, num_tokens: int, config: TreeConfig) -> float:
    """Q: high for a short wrong rollout of a state that is usually solved (equation 2)."""
    return config.alpha ** (1 - share) * config.beta ** (num_tokens / config.length_scale_tokens)


def exploration(visits: int, total_visits: int, config: TreeConfig) -> float:
    """U: high for a state that was selected seldom (equation 3)."""
    return config.c_puct * sqrt(total_visits) / (1 + visits)


def grow_tree(solutions: Sequence[Trajectory], known: Verdicts, config: MonteCarloConfig) -> Growth:
    """Grow the tree of a question until no candidate is left, or a limit is reached.

    Args:
        solutions: the question's stored solutions, each with at least one step; at least one.
        known: verdicts on those of them that count as rollouts of the root.
        config: how many rollouts a state has, and the limits.

    Returns:
        The tree; the solutions of its selected rollouts have their rollouts' ids.
    """
    tree = Tree(config, {solution.text: solution for solution in reversed(solutions)})
    root = tree.add_state(solutions[0], 0, (yield solutions[0], 0), known)
    drawn, tree.pool = tree.pool, []
    tree.offer(root, [*solutions, *(each.solution for each in drawn)])
    while tree.may_search() and (candidate := tree.select()):
        solution = tree.solutions.setdefault(candidate.solution.text, candidate.solution)
        yield from _search(solution, candidate.state.num_steps, tree)
    return tree


def join_rollout(whole: Trajectory, num_steps: int, row: Trajectory) -> Trajectory:
    """The whole solution that a rollout makes of a prefix, under the rollout's id."""
    before, after = prefix_ids(whole, num_steps, row.vocabulary), row.token_ids
    ids = None if before is None or after is None else (*before, *after)
    return replace(
        row,
        steps=(*whole.steps[:num_steps], *row.steps),
        **token_columns(ids, row.vocabulary),
    )


def _search(
    solution: Trajectory, num_right: int, tree: Tree
) -> Generator[Ask, Sequence[Trajectory], None]:
    """Bisect a wrong solution for its first error, behind a prefix that can still be solved."""
    search = bisect_first_error(len(solution.steps), False, num_right=num_right)
    verdict: bool | None = None
    while True:
        try:
            num_steps = search.send(verdict)
        except StopIteration:
            return
        state = tree.states.get(prefix_key(solution, num_steps))
        if state is None:
            state = tree.add_state(solution, num_steps, (yield solution, num_steps))
        verdict = hard_label(state.verdicts, tree.config)
