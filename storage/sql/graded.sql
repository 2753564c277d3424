-- One row per trajectory of `trajectories`, with the same columns; `answer`, `correct` and `grader`
-- are those of its newest verdict if it was graded again.
with newest as (
    select
        run_id, trajectory_id,
        max_by({'answer': answer, 'correct': correct, 'grader': grader, 'check_result': check_result},
            created_at) as verdict
    from verdicts
    group by run_id, trajectory_id
)
select
    t.* replace (
        case when n.verdict is null then t.answer else n.verdict.answer end as answer,
        case when n.verdict is null then t.correct else n.verdict.correct end as correct,
        case when n.verdict is null then t.check_result else n.verdict.check_result end
            as check_result,
        coalesce(n.verdict.grader, t.grader) as grader
    )
from trajectories as t
left join newest as n on t.run_id = n.run_id and t.trajectory_id = n.trajectory_id
