-- The rows of `planted_verifiers` of a run.
select * exclude (run_id)
from planted_verifiers
where run_id = $run_id
