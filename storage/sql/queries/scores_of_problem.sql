-- One row per verifier x scored solution of a problem of a run.
select s.trajectory_id, s.verifier, s.scores
from step_scores as s
where
    s.run_id = $run_id
    and s.error is null
    and len(s.scores) > 0
    and s.trajectory_id in (
        select trajectory_id from trajectories where run_id = $run_id and problem_id = $problem_id
    )
