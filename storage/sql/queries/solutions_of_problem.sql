-- One row per whole solution and second attempt of a problem of a run, at most $num_rows: what groups
-- and ranks them.
select
    trajectory_id, stage, policy, strategy, budget, verifier, role, round, sample_index, parent_id,
    status, is_right, answer, generated_tokens, logprob, num_steps
from trajectory_list
where
    run_id = $run_id
    and problem_id = $problem_id
    and (role is null or role in ('refinement', 'self_talk', 'revision'))
    and status <> 'pruned'
order by stage, strategy, policy, round, budget, sample_index, trajectory_id
limit $num_rows
