-- One row: the newest model of a run whose id begins with $prefix.
select model_id, role, path
from models
where run_id = $run_id and starts_with(model_id, $prefix)
order by created_at desc
limit 1
