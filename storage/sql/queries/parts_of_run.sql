-- One row per flow and part of a run: its newest event, in the order in which they began.
select flow, part, state, config_hash, code_version, message, started_at, changed_at
from run_state
where run_id = $run_id
order by started_at, flow, part
