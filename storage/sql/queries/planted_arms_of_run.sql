-- The rows of `planted_arms` of a run.
select * exclude (run_id)
from planted_arms
where run_id = $run_id
