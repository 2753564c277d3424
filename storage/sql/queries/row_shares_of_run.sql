-- One row per stage, split, policy, strategy and role of a run: how its texts ended.
select
    stage, split, policy, strategy, role, num_ended, num_errors,
    truncated_share, answerless_share, ungraded_share, one_step_share, median_steps, p95_steps
from row_shares
where run_id = $run_id
order by stage, split, policy, strategy, role
