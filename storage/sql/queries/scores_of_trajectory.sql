-- One row per verifier that scored a trajectory of a run.
select *
from step_scores
where trajectory_id = $trajectory_id and run_id = $run_id and len(scores) > 0
