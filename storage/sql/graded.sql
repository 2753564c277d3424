-- One row per trajectory of `trajectories`, with the same columns: `answer`, `correct` and `grader`
-- are those of its newest verdict, where it was graded again.
with newest as (
    select
        run_id, trajectory_id,
        max_by({'answer': answer, 'correct': correct, 'grader': grader}, created_at) as verdict
    from verdicts
    group by run_id, trajectory_id
)
select
    t.trajectory_id, t.problem_id, t.policy, t.strategy, t.sample_index, t.parent_id, t.branch_step,
    t.status, t.error, t.steps,
    case when n.verdict is null then t.answer else n.verdict.answer end as answer,
    case when n.verdict is null then t.correct else n.verdict.correct end as correct,
    coalesce(n.verdict.grader, t.grader) as grader,
    t.temperature, t.top_p, t.seed,
    t.prompt_tokens, t.cached_tokens, t.generated_tokens, t.scored_tokens,
    t.round, t.engine, t.created_at, t.budget, t.verifier, t.reason, t.run_id, t.stage
from trajectories as t
left join newest as n on t.run_id = n.run_id and t.trajectory_id = n.trajectory_id
