-- One row per trajectory of every role, with what lists are filtered by: the level, subject, split and
-- source of its problem, its outcome (`is_right`, by the macro `outcome` and the newest verdict), and
-- its whole `text`, `num_steps` and `logprob` (null if a step lacks it), which are made only if they
-- are asked for.
select
    g.run_id, g.stage, g.trajectory_id, g.problem_id, p.source, p.split, p.level, p.subject,
    g.policy, g.strategy, g.budget, g.verifier, g.role, g.round, g.sample_index, g.parent_id,
    g.status, outcome(g.status, g.answer, g.correct) as is_right, g.correct, g.answer, g.grader,
    g.generated_tokens, g.prompt_tokens, g.scored_tokens, g.reward, g.temperature,
    g.error, g.reason, g.created_at,
    len(g.steps) as num_steps,
    -- not `array_to_string`, which makes the list twice
    coalesce(
        list_aggregate(list_transform(g.steps, lambda step: step.text), 'string_agg', ''), ''
    ) as text,
    case
        when len(list_filter(g.steps, lambda step: step.logprob is null)) = 0
            then list_sum(list_transform(g.steps, lambda step: step.logprob))
    end as logprob
from graded as g
left join problem_list as p on g.run_id = p.run_id and g.problem_id = p.problem_id
