-- One row per trajectory of some problems of a run but rollouts, whose texts stand with the solutions
-- that they continue; at most $per_problem of each problem.
select trajectory_id
from trajectories
where
    run_id = $run_id
    and list_contains($problem_ids, problem_id)
    and (role is null or role not in ('rollout', 'lookahead'))
qualify row_number() over (
    partition by problem_id order by parent_id is not null, sample_index, trajectory_id
) <= $per_problem
