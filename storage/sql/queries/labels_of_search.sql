-- One row per step label that counts, of the trajectories of one search of a problem; `step_index` is that
-- of the trajectory's own steps.
select l.trajectory_id, l.step_index, l.method, l.hard
from current_labels as l
where
    l.run_id = $run_id
    and l.hard is not null
    and l.trajectory_id in (
        select trajectory_id
        from trajectories
        where
            run_id = $run_id
            and problem_id = $problem_id
            and strategy = $strategy
            and budget = $budget
            and policy = $policy
            and verifier is not distinct from $verifier
    )
order by l.method, l.trajectory_id, l.step_index
