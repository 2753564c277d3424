-- One row per problem that two runs have solutions of by a strategy, told by its question: its id in each
-- run, and the share of its solutions that are right in each.
with rated as (
    select
        s.run_id, p.question, any_value(s.problem_id) as problem_id, any_value(p.level) as level,
        avg(s.solve_rate) as solve_rate
    from solve_rate as s
    inner join problem_list as p on s.run_id = p.run_id and s.problem_id = p.problem_id
    where
        s.run_id in ($first, $second) and s.strategy = $strategy and s.solve_rate is not null
    group by s.run_id, p.question
)
select
    a.question, a.level, a.problem_id as first_id, b.problem_id as second_id,
    a.solve_rate as first_rate, b.solve_rate as second_rate
from rated as a
inner join rated as b on a.question = b.question
where a.run_id = $first and b.run_id = $second
order by b.solve_rate - a.solve_rate, a.question
