-- The rows of `run_state`, in order.
select run_id, flow, part, state, started_at, message
from run_state
order by all
