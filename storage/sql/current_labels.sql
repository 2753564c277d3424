-- One row per label that counts, with the columns of `step_labels`: where a method has several labels of
-- a step with a time, as people do who change their minds, the newest. A newest one without `hard` says
-- that the step has no label any more.
with newest as (
    select run_id, trajectory_id, step_index, method, max(created_at) as made_at
    from step_labels
    where created_at is not null
    group by run_id, trajectory_id, step_index, method
)
select l.*
from step_labels as l
left join newest as n
    on l.run_id = n.run_id and l.trajectory_id = n.trajectory_id
    and l.step_index = n.step_index and l.method = n.method
where n.made_at is null or l.created_at = n.made_at
