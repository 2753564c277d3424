-- One row per run x trajectory x grader: the newest verdict of each grader on a trajectory, the first
-- one included. What a grader said as a member of an ensemble counts too.
with members as (
    select run_id, trajectory_id, created_at, unnest(members) as member
    from verdicts
),
said as (
    select run_id, trajectory_id, grader, answer, correct, created_at
    from trajectories
    where grader is not null and status in ('finished', 'truncated')
    union all
    select run_id, trajectory_id, grader, answer, correct, created_at
    from verdicts
    union all
    select
        run_id, trajectory_id, member.grader as grader, member.answer as answer,
        member.correct as correct, created_at
    from members
),
newest as (
    select
        run_id, trajectory_id, grader,
        max_by({'answer': answer, 'correct': correct}, created_at) as verdict
    from said
    group by all
)
select
    n.run_id, t.stage, t.problem_id, n.trajectory_id, t.policy, t.role, t.generated_tokens,
    n.grader, n.verdict.answer as answer, n.verdict.correct as correct
from newest as n
inner join trajectories as t on n.run_id = t.run_id and n.trajectory_id = t.trajectory_id
