"""The statements that select the solutions and problems of a training set's sources.

They read the tables `members` and `options` of `solutions.py`.
"""

SELECTED = """
create view selected as
select
    s.run_id, s.trajectory_id, s.problem_id, s.policy, s.sample_index, s.status, s.correct,
    s.answer, s.steps, s.token_ids, s.vocabulary,
    case o.reduction
        when 'min' then c.min_score
        when 'prod' then c.prod_score
        when 'last' then c.last_score
        when 'mean' then c.mean_score
    end as score,
    md5(concat(o.seed, '/', s.trajectory_id)) as place
from sampled_solutions as s
inner join members as m on s.run_id = m.run_id and s.problem_id = m.problem_id
cross join options as o
left join solution_scores as c
    on s.run_id = c.run_id and s.trajectory_id = c.trajectory_id and o.verifier = c.verifier
where
    (o.policies is null or list_contains(o.policies, s.policy))
    and (o.rounds is null or list_contains(o.rounds, s.round))
"""
PROBLEMS = """
create table member_problems as
select
    p.problem_id,
    any_value(p.source) as source, any_value(p.question) as question,
    any_value(p.answer) as answer, any_value(p.solution) as solution, any_value(p.level) as level,
    min(m.position) as position
from problems as p
inner join members as m on p.run_id = m.run_id and p.problem_id = m.problem_id
group by p.problem_id
"""
