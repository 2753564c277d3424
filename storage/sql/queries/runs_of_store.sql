-- One row per run, the newest first: its flows, how they stand, its rows and its problems.
with states as (
    select
        run_id,
        string_agg(distinct flow, ', ' order by flow) as flows,
        case
            when count(*) filter (state = 'failed') > 0 then 'failed'
            when count(*) filter (state = 'started') > 0 then 'started'
            else 'completed'
        end as state,
        min(started_at) as started_at,
        max(changed_at) as changed_at
    from run_state
    group by run_id
),
solved as (
    select run_id, count(distinct problem_id) as num_problems, count(*) as num_trajectories
    from trajectories
    group by run_id
)
select
    s.run_id, s.flows, s.state, s.started_at, s.changed_at,
    coalesce(t.num_problems, 0) as num_problems,
    coalesce(t.num_trajectories, 0) as num_trajectories
from states as s
left join solved as t on s.run_id = t.run_id
order by s.changed_at desc, s.run_id
