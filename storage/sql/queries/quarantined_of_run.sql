-- The rows of `quarantined` of a run, the newest first.
select stage, unit, error_type, message, num_failures, happened_at
from quarantined
where run_id = $run_id
order by happened_at desc, unit
