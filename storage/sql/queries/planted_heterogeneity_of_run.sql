-- The rows of `planted_heterogeneity` of a run.
select * exclude (run_id)
from planted_heterogeneity
where run_id = $run_id
