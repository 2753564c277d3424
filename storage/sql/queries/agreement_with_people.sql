-- One row per method of labels, verifier or grader of a run, against what people said about the same
-- steps and solutions: on how many both decided, on how many alike, and the two ways to differ. A
-- verifier calls a step right from a score of .5.
with human as (
    select trajectory_id, step_index, hard
    from current_labels
    where run_id = $run_id and method = 'human' and hard is not null
),
judged as (
    select trajectory_id, correct
    from grader_verdicts
    where run_id = $run_id and starts_with(grader, 'human[') and correct is not null
),
pairs as (
    select 'steps' as what, l.method as said_by, h.hard as human, l.hard as other
    from human as h
    inner join current_labels as l
        on h.trajectory_id = l.trajectory_id and h.step_index = l.step_index
    where l.run_id = $run_id and l.method <> 'human' and l.hard is not null
    union all
    select 'steps' as what, s.verifier as said_by, h.hard as human, s.scores[h.step_index + 1] >= 0.5 as other
    from human as h
    inner join step_scores as s on h.trajectory_id = s.trajectory_id
    inner join trajectories as t
        on s.run_id = t.run_id and s.trajectory_id = t.trajectory_id
    where s.run_id = $run_id and s.error is null and len(s.scores) = len(t.steps)
    union all
    select 'solutions' as what, v.grader as said_by, j.correct as human, v.correct as other
    from judged as j
    inner join grader_verdicts as v on j.trajectory_id = v.trajectory_id
    where
        v.run_id = $run_id and v.correct is not null and not starts_with(v.grader, 'human[')
)
select
    what, said_by,
    count(*) as num_both,
    count(*) filter (human = other) as num_alike,
    count(*) filter (not human and other) as right_by_mistake,
    count(*) filter (human and not other) as wrong_by_mistake
from pairs
where other is not null
group by what, said_by
order by what desc, said_by
