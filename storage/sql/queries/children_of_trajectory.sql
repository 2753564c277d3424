-- One row per trajectory that continues, judges or follows one of a run, in order, at most $num_rows.
select *
from graded
where run_id = $run_id and parent_id = $trajectory_id
order by role, branch_step, strategy, sample_index, trajectory_id
limit $num_rows
