-- One row per run x method of labels x `step_index`: how often its hard labels differ from those of the
-- exact checker (`method = 'checker'`), on the steps that both labelled. `right_by_mistake` are steps
-- that the checker calls wrong and the method right, `wrong_by_mistake` the reverse; `noise` is the share
-- of both. Without the checker's labels, which `step_labels` makes with `labels.type=checker`, it is empty.
with truth as (
    select run_id, trajectory_id, step_index, bool_or(hard) as is_right
    from current_labels
    where method = 'checker' and hard is not null
    group by run_id, trajectory_id, step_index
)
select
    l.run_id, l.method, l.step_index,
    count(*) as num_labels,
    count(*) filter (l.hard and not t.is_right) as right_by_mistake,
    count(*) filter (not l.hard and t.is_right) as wrong_by_mistake,
    avg((l.hard <> t.is_right)::integer) as noise
from current_labels as l
inner join truth as t
    on l.run_id = t.run_id and l.trajectory_id = t.trajectory_id and l.step_index = t.step_index
where l.method <> 'checker' and l.hard is not null
group by l.run_id, l.method, l.step_index
