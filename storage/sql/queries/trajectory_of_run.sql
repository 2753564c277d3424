-- One row, or none: a trajectory of a run, with its newest verdict.
select *
from graded
where run_id = $run_id and trajectory_id = $trajectory_id
limit 1
