-- Every row of `relations`, in the order in which they were measured.
select * exclude (run_id, stage)
from relations
order by created_at, run_id, experiment, relation, point
