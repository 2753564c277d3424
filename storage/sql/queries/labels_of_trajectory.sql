-- One row per step label of a trajectory of a run that counts.
select *
from current_labels
where trajectory_id = $trajectory_id and run_id = $run_id
order by step_index
