"""The statements that join solutions with labels or scores of their steps, for training sets.

They read the views `selected`, `member_problems`, `members` and `options` of `solutions.py`. A
rollout with labels of its own is a solution, too: its steps follow those of the rows it continues.
"""

HAS_LABELLED_ROLLOUTS = """
select count(*) > 0
from step_labels as l
inner join members as m on l.run_id = m.run_id
inner join trajectories as t on l.run_id = t.run_id and l.trajectory_id = t.trajectory_id
where l.method = $method and l.step_index = 0 and t.problem_id = m.problem_id
    and t.stage = 'step_labels' and t.role = 'rollout'
"""

SCORED_STEPS = """
with scored as (
    select run_id, trajectory_id, scores
    from step_scores
    cross join options as o
    where step_scores.verifier = o.verifier and error is null and len(scores) > 0
)
select
    p.trajectory_id, p.problem_id, p.correct, p.answer, p.score,
    [step.text for step in p.steps] as steps,
    p.token_ids, [step.num_tokens for step in p.steps] as num_tokens, p.vocabulary,
    if(
        len(c.scores) = len(p.steps), range(len(c.scores)), [len(p.steps) - 1]
    ) as labelled_steps,
    [score >= $hard_threshold for score in s] as labels,
    s as soft
from selected as p
inner join scored as c on p.run_id = c.run_id and p.trajectory_id = c.trajectory_id
cross join lateral (
    select if(len(c.scores) = len(p.steps), c.scores, [list_last(c.scores)]) as s
) as read
where p.status = 'finished' and len(p.steps) > 0
order by p.problem_id, p.place
"""
"""A verifier's scores as labels of steps; the parameter is `hard_threshold`."""

_LABELS = """
labels as (
    select
        run_id, trajectory_id,
        list(step_index order by step_index) as labelled_steps,
        list(hard order by step_index) as labels,
        list(soft order by step_index) as soft
    from current_labels
    where method = $method
    group by run_id, trajectory_id
)"""

_WITH_ROLLOUTS = """,
rolled as (
    select g.*
    from graded as g
    inner join members as m on g.run_id = m.run_id and g.problem_id = m.problem_id
    inner join labels as l on g.run_id = l.run_id and g.trajectory_id = l.trajectory_id
    cross join options as o
    where
        g.stage = 'step_labels' and g.role = 'rollout'
        and (o.policies is null or list_contains(o.policies, g.policy))
        and (o.rounds is null or list_contains(o.rounds, g.round))
),
-- Steps are put in front until nothing is continued any more; `branch_step` is then 0 or null.
wholes as (
    select run_id, trajectory_id, parent_id, branch_step, steps, token_ids, vocabulary
    from rolled
    union all
    select
        run_id, trajectory_id, parent_id, branch_step, list_concat(before, steps) as steps,
        if(
            token_ids is null or ids_before is null
            or vocabulary_before is distinct from vocabulary,
            null,
            list_concat(
                ids_before[
                    : coalesce(list_sum(list_transform(before, lambda s: s.num_tokens)), 0)
                ],
                token_ids
            )
        ) as token_ids,
        vocabulary
    from (
        select
            w.run_id, w.trajectory_id, w.steps, w.token_ids, w.vocabulary, p.parent_id,
            case when p.role = 'rollout' then least(p.branch_step, w.branch_step) end
                as branch_step,
            p.steps[: greatest(w.branch_step - if(p.role = 'rollout', p.branch_step, 0), 0)]
                as before,
            p.token_ids as ids_before, p.vocabulary as vocabulary_before
        from wholes as w
        inner join trajectories as p on w.run_id = p.run_id and w.parent_id = p.trajectory_id
        where w.branch_step > 0
    )
),
pool as (
    select
        run_id, trajectory_id, problem_id, correct, answer, score,
        steps, token_ids, vocabulary, sample_index, place
    from selected
    union all
    select
        r.run_id, r.trajectory_id, r.problem_id, r.correct, r.answer, null::double as score,
        w.steps, w.token_ids, w.vocabulary, r.sample_index,
        md5(concat(o.seed, '/', r.trajectory_id)) as place
    from rolled as r
    inner join wholes as w on r.run_id = w.run_id and r.trajectory_id = w.trajectory_id
    cross join options as o
    where coalesce(w.branch_step, 0) = 0
)"""

_SOLUTIONS_ALONE = """,
pool as (select * from selected)"""

_JOINED = """
select
    p.trajectory_id, p.problem_id, p.correct, p.answer, p.score,
    [step.text for step in p.steps] as steps,
    p.token_ids, [step.num_tokens for step in p.steps] as num_tokens, p.vocabulary,
    l.labelled_steps, l.labels, l.soft
from pool as p
inner join member_problems as q on p.problem_id = q.problem_id
left join labels as l on p.run_id = l.run_id and p.trajectory_id = l.trajectory_id
where l.labels is not null or $with_unlabelled
order by
    case when $as_sampled then q.position end, p.problem_id,
    case when $as_sampled then p.sample_index end, p.place
"""


def labelled_statement(has_rollouts: bool) -> str:
    """The statement; its parameters are `method`, `with_unlabelled` and `as_sampled`.

    Args:
        has_rollouts: whether `HAS_LABELLED_ROLLOUTS` holds; otherwise no rollout is read.
    """
    pool = _WITH_ROLLOUTS if has_rollouts else _SOLUTIONS_ALONE
    return f"with recursive {_LABELS}{pool}{_JOINED}"
