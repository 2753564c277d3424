-- One row per run, the newest first: when it began and when it last changed, its first flow, its parts
-- (a flow, or a flow of a set), how many of them are completed, failed or going on, and the message of
-- the newest failure.
select
    run_id,
    arg_min(flow, (started_at, part is not null)) as flow,
    min(started_at) as started_at,
    max(changed_at) as changed_at,
    count(*) as num_parts,
    count(*) filter (state = 'completed') as num_completed,
    count(*) filter (state = 'failed') as num_failed,
    count(*) filter (state = 'started') as num_started,
    arg_max(message, changed_at) filter (state = 'failed') as message
from run_state
group by run_id
order by changed_at desc, run_id
