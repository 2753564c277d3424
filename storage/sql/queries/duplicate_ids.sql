-- The rows of `duplicate_ids`, in order, at most a thousand.
select run_id, trajectory_id, num_rows
from duplicate_ids
order by all
limit 1000
