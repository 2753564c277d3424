-- One row per trajectory of one search of a problem, in the order of `sample_index`; what another model
-- wrote about one of them, such as a critic, is among them.
with searched as (
    select *
    from graded
    where
        run_id = $run_id
        and problem_id = $problem_id
        and strategy = $strategy
        and budget = $budget
        and verifier is not distinct from $verifier
),
own as (
    select * from searched where policy = $policy
)
select * from own
union all
select s.*
from searched as s
inner join own as o on s.parent_id = o.trajectory_id
where s.policy <> $policy and s.role in ('judge', 'critic')
order by sample_index
