-- One row per solution of a run that people marked, the newest first: its steps that they call right and
-- wrong, their verdict on its answer, who they were and when it was last.
with steps as (
    select
        trajectory_id,
        count(*) filter (hard) as num_right,
        count(*) filter (not hard) as num_wrong,
        list_distinct(list(completer)) as people,
        max(created_at) as marked_at
    from current_labels
    where run_id = $run_id and method = 'human' and hard is not null
    group by trajectory_id
),
grades as (
    select
        trajectory_id,
        arg_max(correct, created_at) as correct,
        list_distinct(list(substr(grader, 7, length(grader) - 7))) as people,
        max(created_at) as marked_at
    from verdicts
    where run_id = $run_id and starts_with(grader, 'human[')
    group by trajectory_id
)
select
    coalesce(s.trajectory_id, g.trajectory_id) as trajectory_id,
    coalesce(s.num_right, 0) as num_right,
    coalesce(s.num_wrong, 0) as num_wrong,
    g.correct,
    list_distinct(list_concat(coalesce(s.people, []), coalesce(g.people, []))) as people,
    greatest(s.marked_at, g.marked_at) as marked_at
from steps as s
full join grades as g on s.trajectory_id = g.trajectory_id
order by marked_at desc nulls last, trajectory_id
limit $num_rows
