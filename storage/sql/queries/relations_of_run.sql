-- The newest rows of `relations` of a run, one per relation and point, in the order of their file.
select * exclude (run_id, stage)
from relations
where run_id = $run_id
qualify row_number() over (partition by experiment, relation, point order by created_at desc) = 1
order by created_at, experiment, relation, point
