"""Stored solutions for a training set, streamed by SQL problem by problem.

DuckDB joins, filters and sorts within a memory limit and spills to disk beyond it. The result is
Arrow record batches in the order of problems, so a reader holds the solutions of one problem at a
time, however large the store is. Within a problem, solutions are ordered by a hash of seed and
trajectory id: the first n are a random sample, and the same one every time.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from schemas.evaluation import Reduction
from schemas.rows import TRAJECTORIES
from schemas.units import UnitPath
from storage.catalog import connect
from storage.labelled import HAS_LABELLED_ROLLOUTS, SCORED_STEPS, labelled_statement
from storage.selected import PROBLEMS, SELECTED
from storage.store import Store
from storage.table_views import open_cursor

Grades = Literal["right", "graded", "any"]
"""Selects finished solutions: right ones, graded ones, or all."""

Batches = Generator[pa.RecordBatch, None, None]
"""Record batches; closing them early ends the query."""

_MEMORY_LIMIT = "1GB"
_BATCH_ROWS = 4096

_SURVEY = """
with per_problem as (
    select
        problem_id,
        count(*) as num_solutions,
        count(*) filter (correct) as num_right,
        count(*) filter (not correct) as num_wrong,
        count(score) as num_scored,
        max(score) as max_score
    from selected
    where status = 'finished'
    group by problem_id
)
select
    count(*),
    coalesce(sum(num_solutions), 0)::bigint,
    coalesce(sum(num_right), 0)::bigint,
    coalesce(sum(num_wrong), 0)::bigint,
    count(*) filter (num_right > 0 and num_wrong > 0),
    coalesce(sum(num_scored), 0)::bigint,
    max(max_score)
from per_problem
"""
_ENDS = """
select
    count(*), count(*) filter (status = 'truncated'), count(*) filter (answer is null),
    count(*) filter (correct is null)
from selected
"""
_SOLUTIONS = """
select
    p.trajectory_id, p.problem_id, p.correct, p.answer, p.score,
    [step.text for step in p.steps] as steps,
    p.token_ids, [step.num_tokens for step in p.steps] as num_tokens, p.vocabulary
from selected as p
where
    p.status = 'finished'
    and ($grades = 'any' or p.correct or ($grades = 'graded' and p.correct is not null))
    and ($min_score is null or p.score >= $min_score)
order by p.problem_id, p.place
"""
_DRAWN = """
select
    p.trajectory_id, p.problem_id, p.correct, p.answer, p.score,
    [step.text for step in p.steps] as steps,
    p.token_ids, [step.num_tokens for step in p.steps] as num_tokens, p.vocabulary,
    q.source, q.question, q.answer as gold, q.level
from selected as p
inner join member_problems as q on p.problem_id = q.problem_id
where p.status = 'finished' and p.correct
order by p.place
"""
_ORIGINALS = """
select
    null::varchar as trajectory_id, q.problem_id, true as correct, q.answer,
    null::double as score, [q.solution] as steps,
    null::integer[] as token_ids, null::integer[] as num_tokens, null::varchar as vocabulary,
    q.source, q.question, q.answer as gold, q.level
from member_problems as q
cross join options as o
where q.solution is not null
order by md5(concat(o.seed, '/', q.problem_id))
"""
_METHODS = """
select distinct l.method
from step_labels as l
inner join selected as p on l.run_id = p.run_id and l.trajectory_id = p.trajectory_id
order by l.method
"""
_VERIFIERS = """
select distinct s.verifier
from step_scores as s
inner join selected as p on s.run_id = p.run_id and s.trajectory_id = p.trajectory_id
where s.error is null
order by s.verifier
"""
_TREES = """
select g.* exclude (run_id, stage)
from graded as g
inner join members as m on g.run_id = m.run_id and g.problem_id = m.problem_id
cross join options as o
where
    g.stage = 'search'
    and g.role is null
    and (o.policies is null or list_contains(o.policies, g.policy))
    and ($strategies is null or list_contains($strategies, g.strategy))
order by g.problem_id, g.run_id, g.strategy, g.budget, g.policy, g.verifier, g.sample_index
"""
_TALKS = """
select g.* exclude (run_id, stage)
from graded as g
inner join members as m on g.run_id = m.run_id and g.problem_id = m.problem_id
cross join options as o
where
    g.stage = 'self_talk'
    and g.role = 'self_talk'
    and (
        o.policies is null
        or g.strategy = 'monologue'  -- by its annotator; the chain is by the policy
        or list_contains(o.policies, g.policy)
    )
    and (o.rounds is null or list_contains(o.rounds, g.round))
order by g.problem_id, md5(concat(o.seed, '/', g.trajectory_id))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolutionsSurvey:
    """Counts of the finished solutions."""

    num_problems: int
    """Problems with at least one solution."""
    num_solutions: int
    num_right: int
    num_wrong: int
    num_mixed_problems: int
    """Problems with a right and a wrong solution."""
    num_scored: int
    """Solutions scored by the selected verifier."""
    max_score: float | None
    num_ended: int = 0
    """Solutions that are finished or were cut."""
    num_truncated: int = 0
    num_answerless: int = 0
    num_ungraded: int = 0


class StoredSolutions:
    """Solutions of some problems of some runs, and facts about them."""

    def __init__(
        self,
        store: Store,
        members: Sequence[tuple[str, str]],
        *,
        policies: Sequence[str] | None = None,
        rounds: Sequence[int] | None = None,
        verifier: str | None = None,
        reduction: Reduction = "min",
        seed: int = 0,
        memory_limit: str = _MEMORY_LIMIT,
    ) -> None:
        """Select among the committed solutions.

        Args:
            store: the store.
            members: run ids and problem ids of the problems.
            policies: models whose solutions count, by id; None for all.
            rounds: rounds of a loop that count; None for all.
            verifier: the verifier whose scores are read; None for none.
            reduction: how its step scores are reduced to one.
            seed: the seed of the order within a problem.
            memory_limit: the memory that DuckDB may use, such as `1GB`.
        """
        self._connection = connect(store.url, memory_limit=memory_limit)
        self._connection.execute(
            "create table members as select run_id, problem_id, min(position) as position "
            "from (select unnest($runs::varchar[]) as run_id, "
            "unnest($problems::varchar[]) as problem_id, "
            "unnest(range(len($runs::varchar[]))) as position) group by run_id, problem_id",
            {"runs": [run for run, _ in members], "problems": [name for _, name in members]},
        )
        self._connection.execute(
            "create table options as select $policies::varchar[] as policies, "
            "$rounds::integer[] as rounds, $verifier::varchar as verifier, "
            "$reduction::varchar as reduction, $seed::bigint as seed",
            {
                "policies": None if policies is None else list(policies),
                "rounds": None if rounds is None else list(rounds),
                "verifier": verifier,
                "reduction": reduction,
                "seed": seed,
            },
        )
        self._connection.execute(PROBLEMS)
        self._connection.execute(SELECTED)

    def close(self) -> None:
        """Close the connection and remove its spilled data."""
        self._connection.close()

    def use_verifier(self, verifier: str) -> None:
        """Select the verifier whose scores are read."""
        self._connection.execute("update options set verifier = ?", [verifier])

    def survey(self) -> SolutionsSurvey:
        """Count the finished solutions."""
        ended, truncated, answerless, ungraded = self.row(_ENDS)
        problems, solutions, right, wrong, mixed, scored, max_score = self.row(_SURVEY)
        return SolutionsSurvey(
            num_problems=problems,
            num_solutions=solutions,
            num_right=right,
            num_wrong=wrong,
            num_mixed_problems=mixed,
            num_scored=scored,
            max_score=max_score,
            num_ended=ended,
            num_truncated=truncated,
            num_answerless=answerless,
            num_ungraded=ungraded,
        )

    def splits(self) -> list[str]:
        """The splits of the problems, solved or not, in order."""
        return self.column(
            "select distinct p.split from problems as p inner join members as m "
            "on p.run_id = m.run_id and p.problem_id = m.problem_id order by p.split"
        )

    def num_originals(self) -> int:
        """Number of problems that came with a worked solution."""
        (number,) = self.row("select count(solution) from member_problems")
        return number

    def policies(self) -> list[str]:
        """The ids of the models that wrote the solutions, in order."""
        return self.column("select distinct policy from selected order by policy")

    def verifiers(self) -> list[str]:
        """The ids of the verifiers that scored any of the solutions, in order."""
        return self.column(_VERIFIERS)

    def label_methods(self) -> list[str]:
        """The methods of the solutions' step labels, in order."""
        return self.column(_METHODS)

    def strategies(self) -> list[str]:
        """The strategies of searches of the problems, in order."""
        return self.column(
            "select distinct g.strategy from graded as g inner join members as m "
            "on g.run_id = m.run_id and g.problem_id = m.problem_id "
            "where g.stage = 'search' and g.role is null order by g.strategy"
        )

    def score_at(self, share: float) -> float:
        """The threshold that excludes this share of the scored solutions, the lowest.

        The best score always passes, and equal scores pass together.
        """
        (num_scored,) = self.row("select count(score) from selected")
        (score,) = self.row(
            "select score from selected where score is not null order by score "
            "limit 1 offset least(ceil($share * $num)::bigint, $num - 1)",
            {"share": share, "num": num_scored},
        )
        return score

    def problems(self, as_sampled: bool = False) -> Batches:
        """All problems, in order of their ids or of their files."""
        return self.stream(
            "select problem_id, source, question, answer as gold, level from member_problems "
            "order by case when $as_sampled then position end, problem_id",
            {"as_sampled": as_sampled},
        )

    def solutions(self, grades: Grades, *, min_score: float | None = None) -> Batches:
        """Finished solutions by problem, in order of the problems' ids.

        Args:
            grades: which solutions.
            min_score: the minimum score; None for any score, including none.
        """
        return self.stream(_SOLUTIONS, {"grades": grades, "min_score": min_score})

    def scored_steps(self, hard_threshold: float) -> Batches:
        """Finished solutions that the verifier scored, with its scores as labels of their steps.

        The columns are those of `labelled`. A verifier that gives one score for a whole solution
        labels its last step alone.

        Args:
            hard_threshold: minimum score of a step whose label is right.
        """
        return self.stream(SCORED_STEPS, {"hard_threshold": hard_threshold})

    def drawn_right(self) -> Batches:
        """Right solutions in a random order by the seed, each with the columns of its problem."""
        return self.stream(_DRAWN)

    def drawn_originals(self) -> Batches:
        """The worked solutions that came with the problems, with the columns of `drawn_right`."""
        return self.stream(_ORIGINALS)

    def labelled(
        self, method: str, *, with_unlabelled: bool = False, as_sampled: bool = False
    ) -> Batches:
        """Solutions with step labels of one method, with the labelled steps and their labels.

        Rollouts that have labels of their own, as those of trees do, are solutions here.

        Args:
            method: the method of the labels.
            with_unlabelled: also give solutions without any label, with nulls.
            as_sampled: in the order of `problems(as_sampled=True)`, and of sampling in a problem.
        """
        (has_rollouts,) = self.row(HAS_LABELLED_ROLLOUTS, {"method": method})
        return self.stream(
            labelled_statement(has_rollouts),
            {"method": method, "with_unlabelled": with_unlabelled, "as_sampled": as_sampled},
        )

    def trees(self, strategies: Sequence[str] | None) -> Batches:
        """Rows of searches as trajectories, by problem, and within that by search."""
        names = None if strategies is None else list(strategies)
        for batch in self.stream(_TREES, {"strategies": names}):
            yield batch.select(TRAJECTORIES.schema.names)

    def num_talks(self) -> int:
        """Number of self-talks of the problems, whatever became of them."""
        return len(self.column(f"select trajectory_id from ({_TALKS})"))

    def talks(self) -> Batches:
        """Self-talks as trajectories by problem, in order of the problems' ids."""
        for batch in self.stream(_TALKS):
            yield batch.select(TRAJECTORIES.schema.names)

    def execute(self, statement: str, values: dict[str, Any] | None = None) -> None:
        """Run a statement, such as one that makes a view over those of this module."""
        self._connection.execute(statement, values or {})

    def row(self, statement: str, values: dict[str, Any] | None = None) -> tuple[Any, ...]:
        """The one row of a statement."""
        row = self._connection.execute(statement, values or {}).fetchone()
        assert row is not None
        return row

    def column(self, statement: str) -> list[str]:
        """The one column of a statement."""
        return [value for (value,) in self._connection.execute(statement).fetchall()]

    def stream(self, statement: str, values: dict[str, Any] | None = None) -> Batches:
        """The rows of a statement; several streams can be read concurrently."""
        # A new cursor, as several streams are read concurrently.
        cursor = open_cursor(self._connection)
        try:
            yield from cursor.sql(statement, params=values or {}).to_arrow_reader(_BATCH_ROWS)
        finally:
            cursor.close()


def problem_ids(store: Store, paths: Sequence[str]) -> list[tuple[str, str]]:
    """The run id and problem id of every problem in committed files of problems."""
    return [
        (UnitPath.parse(path).run_id, name)
        for path in paths
        for name in store.column(path, "problem_id")
    ]
