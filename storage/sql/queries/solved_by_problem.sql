-- One row per problem of $problems: the share of right ones among a policy's solutions in a run.
select o.problem_id, avg(o.is_right::double) as p_right, any_value(p.level) as level
from outcomes as o
left join problem_list as p on o.run_id = p.run_id and o.problem_id = p.problem_id
where
    o.run_id = $run_id
    and o.policy = $policy
    and o.is_right is not null
    and list_contains($problems, o.problem_id)
group by o.problem_id
order by o.problem_id
