-- One row per second attempt at a solution of a run.
select *
from graded
where role = 'refinement' and parent_id = $trajectory_id and run_id = $run_id
order by strategy, critique_id, sample_index, created_at
