-- One row per flow and part of a run that failed last: why.
select flow, part, message
from run_state
where run_id = $run_id and state = 'failed' and message is not null
order by changed_at, flow, part
