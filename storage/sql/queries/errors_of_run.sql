-- One row per stage x kind of failed rows of a run: how many, and one of them with its message.
select
    stage, 'error' as kind, count(*) as num_rows,
    any_value(trajectory_id) as trajectory_id, any_value(error) as message
from trajectories
where run_id = $run_id and status = 'error'
group by stage
union all
select
    stage, 'critique ' || coalesce(fault, 'error') as kind, count(*) as num_rows,
    any_value(trajectory_id) as trajectory_id, any_value(fault) as message
from critiques
where run_id = $run_id and (fault is not null or status = 'error')
group by stage, fault
order by stage, kind
