-- One row per flow and part of a run: the config (JSON) that it last began with.
select flow, part, arg_max(config, happened_at) as config
from runs
where run_id = $run_id and state = 'started'
group by flow, part
order by min(happened_at), flow, part
