-- The rows of `cost` of a run, or of all runs where $run_id is null.
select *
from cost
where run_id = coalesce($run_id, run_id)
order by all
