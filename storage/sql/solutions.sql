-- One row per run x solution that a policy was asked for (those of `outcomes`), with its problem as its
-- run has it: `question`, `gold`, `split`, `level`, `subject`. Runs that share problems double no rows.
-- `is_right` is the outcome, `text` the whole solution, `logprob` the sum over its steps (null if one
-- lacks it), `num_steps` their number. A problem that its run lacks leaves its columns null.
select
    o.run_id, o.stage, o.trajectory_id, o.problem_id, o.policy, o.strategy, o.budget, o.sample_index,
    o.round, o.status, o.answer, o.correct, o.grader, o.is_right,
    p.question, p.answer as gold, p.source, p.split, p.level, p.subject,
    len(t.steps) as num_steps,
    array_to_string(list_transform(t.steps, lambda step: step.text), '') as text,
    case
        when len(list_filter(t.steps, lambda step: step.logprob is null)) = 0
            then list_sum(list_transform(t.steps, lambda step: step.logprob))
    end as logprob,
    t.reason, t.error, t.generated_tokens, t.temperature, t.seed, t.steps
from outcomes as o
inner join trajectories as t on o.run_id = t.run_id and o.trajectory_id = t.trajectory_id
left join problem_list as p on o.run_id = p.run_id and o.problem_id = p.problem_id
