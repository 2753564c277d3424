-- One row per solution of a run, sampled or imported, that answers one of these questions and has
-- labels of a method: the texts of its steps, and a hard label or null for each.
with by_step as (
    select trajectory_id, step_index, any_value(completer) as completer, any_value(hard) as hard
    from current_labels
    where run_id = $run_id and method = $method
    group by trajectory_id, step_index
),
labels as (
    select
        trajectory_id, any_value(completer) as completer,
        map_from_entries(list((step_index, hard))) as hard
    from by_step
    group by trajectory_id
),
asked as (
    select problem_id, any_value(question) as question
    from problems
    where run_id = $run_id and list_contains($questions::varchar[], question)
    group by problem_id
)
select
    p.question,
    l.completer,
    list_transform(s.steps, lambda step: step.text) as steps,
    list_transform(range(len(s.steps)), lambda index: l.hard[index::integer]) as hard
from sampled_solutions as s
inner join labels as l on s.trajectory_id = l.trajectory_id
inner join asked as p on s.problem_id = p.problem_id
where s.run_id = $run_id
order by s.trajectory_id
