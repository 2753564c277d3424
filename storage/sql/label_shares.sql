-- One row per run x method: the labelled solutions and their steps, and the steps without a label.
select
    run_id, method,
    count(distinct trajectory_id) as num_solutions,
    count(*) as num_steps,
    count(*) filter (hard is null) as num_unlabelled,
    count(*) filter (hard is null) / count(*) as unlabelled_share
from step_labels
group by run_id, method
