-- The rows of `curves` of a run.
select * exclude (run_id)
from curves
where run_id = $run_id
order by strategy, pick, budget, bin
