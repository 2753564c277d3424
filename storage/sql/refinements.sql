-- One row per second attempt at a stored solution, of the stage `refinements` (those within a search
-- or a self-correction are no attempts with or without a critic): right before and after by the
-- macro `outcome` and the newest verdicts, and the critique that it was given (null for a retry
-- without one, the control). `is_copy` says whether it repeats the first attempt. `flagged` is
-- whether the critique calls the solution wrong, null if it does not say. Attempts that an engine
-- rejected have null `after`. Texts are compared behind their thoughts, without the white space
-- around steps.
with attempts as (
    select *
    from graded
    where stage = 'refinements' and role = 'refinement'
),
texts as (
    select
        run_id, trajectory_id,
        array_to_string(
            list_transform(
                list_filter(
                    steps,
                    lambda step, i:
                        coalesce(
                            list_sum(list_transform(steps[:i - 1], lambda other: other.num_tokens)),
                            0
                        ) >= coalesce(thinking_tokens, 0)
                ),
                lambda step: regexp_replace(step.text, '^\s+|\s+$', '', 'g')
            ),
            chr(10)
        ) as text
    from trajectories
    where
        (stage = 'refinements' and role = 'refinement')
        or (run_id, trajectory_id) in (select (run_id, parent_id) from attempts)
)
select
    a.run_id, p.split, a.problem_id, p.level,
    s.policy, a.policy as actor, a.strategy, c.critic, c.told,
    a.parent_id as solution_id, a.critique_id, a.trajectory_id, a.sample_index, a.round,
    outcome(s.status, s.answer, s.correct) as before,
    outcome(a.status, a.answer, a.correct) as after,
    not c.verdict as flagged,
    c.fault, c.leaks, a.status,
    a.status != 'error' and x.text = y.text as is_copy,
    a.generated_tokens
from attempts as a
inner join graded as s on a.run_id = s.run_id and a.parent_id = s.trajectory_id
left join critiques as c on a.run_id = c.run_id and a.critique_id = c.critique_id
inner join texts as x on a.run_id = x.run_id and a.trajectory_id = x.trajectory_id
inner join texts as y on a.run_id = y.run_id and a.parent_id = y.trajectory_id
left join problem_list as p on a.run_id = p.run_id and a.problem_id = p.problem_id
