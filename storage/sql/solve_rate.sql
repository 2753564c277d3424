-- One row per run x problem x policy x strategy: how often the policy's whole solutions are right.
-- `solve_rate` is the share of `num_counted`: the solutions that are right or not, by the view
-- `outcomes`. A solution that was cut before it gave an answer counts and is not right; a failed one,
-- and one whose answer could not be graded, is left out.
with counted as (
    select
        run_id, problem_id, policy, strategy,
        count(*) as num_trajectories,
        count(is_right) as num_counted,
        count(correct) as num_graded,
        count(*) filter (is_right) as num_correct,
        count(*) filter (status = 'truncated') as num_truncated,
        count(*) filter (status in ('finished', 'truncated') and answer is null) as num_answerless,
        count(*) filter (status = 'error') as num_errors
    from outcomes
    group by all
)
select
    c.run_id, c.problem_id, c.policy, c.strategy,
    p.source, p.split, p.level, p.subject,
    c.num_trajectories, c.num_counted, c.num_graded, c.num_correct, c.num_truncated,
    c.num_answerless, c.num_errors,
    c.num_correct / nullif(c.num_counted, 0) as solve_rate
from counted as c
left join problem_list as p on c.run_id = p.run_id and c.problem_id = p.problem_id
