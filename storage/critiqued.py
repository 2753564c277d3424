"""Stored critiques for a training set: their solutions, what they say, what they lead to.

Reads the views `member_problems`, `members` and `options` of `solutions.py`. Solutions are those
that were sampled or imported and those made wrong on purpose (`error_paths`); their grades, and
those of refinements, are the newest verdicts. Everything is streamed in the order of problems.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.rows import CRITIQUES
from storage.solutions import Batches, StoredSolutions

_POOL = """
create view critiqued_pool as
select
    g.run_id, g.trajectory_id, g.problem_id, g.correct, g.answer, g.steps, g.token_ids,
    g.vocabulary, g.policy, g.thinking_tokens,
    md5(concat(o.seed, '/', g.trajectory_id)) as place
from graded as g
inner join members as m on g.run_id = m.run_id and g.problem_id = m.problem_id
cross join options as o
where
    g.status = 'finished'
    and len(g.steps) > 0
    and (
        (g.stage in ('sampling', 'imports') and g.role is null and g.parent_id is null)
        or (g.stage = 'error_paths' and g.role = 'error_path')
    )
    and (o.policies is null or list_contains(o.policies, g.policy))
    and (o.rounds is null or list_contains(o.rounds, g.round))
"""
_CHOSEN = """
create view chosen_critiques as
select c.*
from critiques as c
inner join critiqued_pool as p on c.run_id = p.run_id and c.trajectory_id = p.trajectory_id
cross join critic_options as o
where
    (o.critics is null or list_contains(o.critics, c.critic))
    and (o.told is null or c.told = o.told)
"""
_ATTEMPTS = """
create view attempts as
select g.*
from graded as g
inner join critiqued_pool as p on g.run_id = p.run_id and g.parent_id = p.trajectory_id
cross join critic_options as o
where
    g.stage = 'refinements'
    and g.role = 'refinement'
    and g.status in ('finished', 'truncated')
    and len(g.steps) > 0
    and (o.actors is null or list_contains(o.actors, g.policy))
"""
_SURVEY = """
select
    (select count(*) from chosen_critiques),
    (select count(*) from attempts where critique_id is not null),
    (select count(*) from attempts where critique_id is not null and correct)
"""
_SOLUTIONS = """
select
    p.trajectory_id, p.problem_id, p.correct, p.answer, null::double as score,
    [step.text for step in p.steps] as steps,
    p.token_ids, [step.num_tokens for step in p.steps] as num_tokens, p.vocabulary,
    p.policy, p.thinking_tokens
from critiqued_pool as p
where
    $with_others
    or exists (
        select 1 from chosen_critiques as c
        where c.run_id = p.run_id and c.trajectory_id = p.trajectory_id
    )
order by p.problem_id, p.place
"""
_CRITIQUES = """
select c.* exclude (run_id, stage)
from chosen_critiques as c
order by c.problem_id, c.trajectory_id, c.critic, c.told, c.sample_index, c.critique_id
"""
_REFINEMENTS = """
select
    r.trajectory_id, r.problem_id, r.correct, r.answer, null::double as score,
    [step.text for step in r.steps] as steps,
    r.token_ids, [step.num_tokens for step in r.steps] as num_tokens, r.vocabulary,
    r.parent_id, r.critique_id, r.status
from attempts as r
order by r.problem_id, r.parent_id, r.critique_id, r.policy, r.sample_index, r.trajectory_id
"""
_WORKED = """
select problem_id, solution from member_problems where solution is not null order by problem_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiquesSurvey:
    """Counts of the chosen critiques, and of the second attempts with them."""

    num_critiques: int
    num_refinements: int
    """Second attempts with a critique."""
    num_right: int
    """Those of them that are right."""


class StoredCritiques:
    """Critiques of stored solutions, with the second attempts that they led to."""

    def __init__(
        self,
        solutions: StoredSolutions,
        *,
        critics: Sequence[str] | None = None,
        told: str | None = None,
        actors: Sequence[str] | None = None,
    ) -> None:
        """Select among the critiques of these solutions.

        Args:
            solutions: the open solutions; at most one of these is made from each.
            critics: the critics whose critiques are read, by id; None for all.
            told: what they were told, as in the column `told`; None for anything.
            actors: the models whose second attempts are read, by id; None for all.
        """
        self._solutions = solutions
        solutions.execute(
            "create table critic_options as select $critics::varchar[] as critics, "
            "$told::varchar as told, $actors::varchar[] as actors",
            {
                "critics": None if critics is None else list(critics),
                "told": told,
                "actors": None if actors is None else list(actors),
            },
        )
        for statement in (_POOL, _CHOSEN, _ATTEMPTS):
            solutions.execute(statement)

    def critics(self) -> list[str]:
        """The ids of the chosen critics, in order."""
        return self._solutions.column("select distinct critic from chosen_critiques order by 1")

    def told(self) -> list[str]:
        """What the chosen critics were told, in order."""
        return self._solutions.column("select distinct told from chosen_critiques order by 1")

    def survey(self) -> CritiquesSurvey:
        """Count what was chosen."""
        critiques, refinements, right = self._solutions.row(_SURVEY)
        return CritiquesSurvey(
            num_critiques=critiques,
            num_refinements=refinements,
            num_right=right,
        )

    def solutions(self, *, with_others: bool = False) -> Batches:
        """Finished solutions by problem, in a random order within it.

        Args:
            with_others: also those without a chosen critique.
        """
        return self._solutions.stream(_SOLUTIONS, {"with_others": with_others})

    def critiques(self) -> Batches:
        """The chosen critiques as rows of their table, by problem, then by solution."""
        for batch in self._solutions.stream(_CRITIQUES):
            yield batch.select(CRITIQUES.schema.names)

    def refinements(self) -> Batches:
        """Second attempts, with critiques and without, by problem, then by solution."""
        return self._solutions.stream(_REFINEMENTS)

    def worked(self) -> Batches:
        """The worked solutions that came with problems, by problem."""
        return self._solutions.stream(_WORKED)
