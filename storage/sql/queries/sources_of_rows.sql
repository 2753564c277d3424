-- One row per trajectory or critique of a run whose id is one of $ids, with the trajectory to look at.
select trajectory_id as id, trajectory_id, problem_id, coalesce(role, 'solution') as role
from trajectories
where run_id = $run_id and list_contains($ids, trajectory_id)
union all
select critique_id as id, trajectory_id, problem_id, 'critique' as role
from critiques
where run_id = $run_id and list_contains($ids, critique_id)
