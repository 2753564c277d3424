-- One row per run x problem x policy x strategy: how often the policy's whole solutions are right.
-- Ungraded and failed trajectories are counted separately, never as wrong. The newest verdicts count.
-- Only searches that draw independent solutions are included: the candidates of a tree are not a
-- sample of the policy's solutions.
with counted as (
    select
        run_id, problem_id, policy, strategy,
        count(*) as num_trajectories,
        count(correct) as num_graded,
        count(*) filter (correct) as num_correct,
        count(*) filter (status = 'truncated') as num_truncated,
        count(*) filter (status = 'error') as num_errors
    from graded
    where
        parent_id is null
        and role is null
        and (budget is null or regexp_matches(strategy, '^(majority|best_of_n)( |$)'))
    group by all
)
select
    c.run_id, c.problem_id, c.policy, c.strategy,
    p.source, p.split, p.level, p.subject,
    c.num_trajectories, c.num_graded, c.num_correct, c.num_truncated, c.num_errors,
    c.num_correct / nullif(c.num_graded, 0) as solve_rate
from counted as c
left join problem_list as p on c.run_id = p.run_id and c.problem_id = p.problem_id
