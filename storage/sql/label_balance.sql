-- One row per run x method x step index: how many steps are labelled right, wrong, or not labelled.
select
    run_id, method, step_index,
    count(*) as num_steps,
    count(*) filter (hard) as num_right,
    count(*) filter (not hard) as num_wrong,
    count(*) filter (hard is null) as num_unlabelled,
    count(*) filter (hard) / nullif(count(hard), 0) as right_share,
    avg(soft) as mean_soft,
    sum(num_rollouts) as num_rollouts
from current_labels
group by run_id, method, step_index
