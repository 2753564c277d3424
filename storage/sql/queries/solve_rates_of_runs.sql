-- One row per run, policy, strategy and problem of the runs $runs: the share of its solutions that are
-- right, and the problem's question, which is the same in every run.
select
    s.run_id, s.policy, s.strategy, p.question, avg(s.solve_rate) as solve_rate
from solve_rate as s
inner join problem_list as p on s.run_id = p.run_id and s.problem_id = p.problem_id
where
    list_contains($runs::varchar[], s.run_id)
    and s.strategy = coalesce($strategy, s.strategy)
    and s.solve_rate is not null
group by all
order by all
