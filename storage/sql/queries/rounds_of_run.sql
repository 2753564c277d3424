-- The rows of `rounds` of a run.
select * exclude (run_id)
from rounds
where run_id = $run_id
order by round, split, policy
