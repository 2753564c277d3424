-- One row per run x problem: the problem, and how often the solutions that policies were asked for are
-- right, by the view `outcomes`. `solve_rate` is the share of `num_counted`, null without any. A problem
-- that the run has no row of has its id only.
with counted as (
    select
        run_id, problem_id,
        count(*) as num_solutions,
        count(is_right) as num_counted,
        count(*) filter (is_right) as num_right
    from outcomes
    group by run_id, problem_id
)
select
    coalesce(p.run_id, c.run_id) as run_id,
    coalesce(p.problem_id, c.problem_id) as problem_id,
    p.source, p.split, p.level, p.subject, p.question, p.answer,
    coalesce(c.num_solutions, 0) as num_solutions,
    coalesce(c.num_counted, 0) as num_counted,
    coalesce(c.num_right, 0) as num_right,
    c.num_right / nullif(c.num_counted, 0) as solve_rate
from problem_list as p
full join counted as c on p.run_id = c.run_id and p.problem_id = c.problem_id
