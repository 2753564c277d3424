-- One row per run and policy: at how many ends of steps the text alone would be other tokens than
-- those sampled (counted on the first sample of each problem), and how many prefixes were continued
-- from their text, because the sampled tokens were not known or were another model's.
with boundaries as (
    select
        run_id, policy,
        sum(len(steps) - 1)::bigint as num_boundaries,
        sum(changed_boundaries)::bigint as num_changed
    from trajectories
    where changed_boundaries is not null and len(steps) > 0
    group by run_id, policy
),
prefixes as (
    select distinct on (t.run_id, t.policy, t.parent_id, t.branch_step)
        t.run_id, t.policy,
        p.token_ids is null or t.vocabulary is distinct from p.vocabulary as is_text
    from trajectories as t
    inner join trajectories as p on t.run_id = p.run_id and t.parent_id = p.trajectory_id
    where t.branch_step > 0 and t.status <> 'error'
),
continued as (
    select
        run_id, policy, count(*) as num_prefixes, count(*) filter (is_text) as num_from_text
    from prefixes
    group by run_id, policy
)
select
    coalesce(b.run_id, c.run_id) as run_id,
    coalesce(b.policy, c.policy) as policy,
    coalesce(b.num_boundaries, 0) as num_boundaries,
    coalesce(b.num_changed, 0) as num_changed,
    b.num_changed / nullif(b.num_boundaries, 0) as changed_share,
    coalesce(c.num_prefixes, 0) as num_prefixes,
    coalesce(c.num_from_text, 0) as num_from_text
from boundaries as b
full join continued as c on b.run_id = c.run_id and b.policy = c.policy
order by 1, 2
