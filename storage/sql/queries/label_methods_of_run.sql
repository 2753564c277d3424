-- One row per method of a run's step labels.
select distinct method
from step_labels
where run_id = $run_id
order by method
