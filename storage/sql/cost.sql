-- One row per run x stage x strategy x role x model: rows made, tokens spent, seconds of engine
-- time, and the result. `scored_tokens` are the tokens that verifiers read (those that they wrote are
-- in `generated_tokens` of their own rows), `cached_tokens` those of
-- prompts and scored texts that were found in a cache. The verifier of a search has its own row, with
-- no rows made or kept, as the solutions are the policy's. `thinking_tokens` are those of thoughts,
-- null where the prompt does not tell them from answers. A policy in training is one model, whatever
-- its step.
-- `engine_s` is the actors' time that the units of the stage took, divided among its strategies,
-- roles and models by the tokens they generated and scored (by rows if there are no tokens); null if
-- a file does not record it, as in files of the first schema version.
-- Of the planted-subsequence study the stored traces count, not those that were drawn in training;
-- the model is the mixture.
-- `num_kept` counts the useful results, and `kept` names them: solutions that are right by their
-- newest verdict, steps of the stage that got a hard label from rollouts (those of a consensus once), solutions scored without
-- an error, critiques without a fault, judgements with a verdict, or solutions whose reward was divided among their tokens. `tokens_per_kept` is the generated and scored tokens per result, null without any.
with labelled as (
    select run_id, stage, completer as model, count(*) as num_labelled
    from step_labels
    where
        hard is not null
        and not starts_with(method, 'second[') and not starts_with(method, 'consensus[')
        and evidence not in ('judge', 'checker', 'human') and method <> 'outcome'
    group by all
),
by_writer as (
    select
        * replace (
            if(training_step is null, policy, regexp_replace(policy, '@[0-9]+$', '')) as policy
        )
    from graded
),
written as (
    select
        run_id, stage, strategy, role, policy, coalesce(verifier, policy) as reader,
        count(*) as num_rows,
        sum(prompt_tokens) as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(generated_tokens) as generated_tokens,
        sum(scored_tokens) as scored_tokens,
        sum(verifier_tokens) as verifier_tokens,
        sum(thinking_tokens) as thinking_tokens,
        count(*) filter (correct) as num_right
    from by_writer
    group by all
),
by_model as ( -- one row of `written` is one of its policy, and one of its verifier if that read or wrote
    select
        run_id, stage, strategy, role, spent.*
    from (
        select
            run_id, stage, strategy, role,
            unnest(list_filter([
                {
                    model: policy, is_spent: true, num_rows: num_rows,
                    prompt_tokens: prompt_tokens, cached_tokens: cached_tokens,
                    generated_tokens: generated_tokens, scored_tokens: 0::hugeint,
                    thinking_tokens: thinking_tokens, num_right: num_right
                },
                {
                    model: reader, is_spent: scored_tokens > 0 or verifier_tokens > 0, num_rows: 0,
                    prompt_tokens: 0, cached_tokens: 0,
                    generated_tokens: coalesce(verifier_tokens, 0), scored_tokens: scored_tokens,
                    thinking_tokens: null, num_right: 0
                }
            ], lambda each: each.is_spent)) as spent
        from written
    )
),
solved as (
    select
        run_id, stage, strategy, role, model,
        sum(num_rows) as num_rows,
        sum(prompt_tokens) as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(generated_tokens) as generated_tokens,
        sum(scored_tokens) as scored_tokens,
        sum(thinking_tokens) as thinking_tokens,
        sum(num_right) as num_right
    from by_model
    group by all
),
spent as (
    select
        'trajectories' as table_name,
        s.run_id, s.stage, s.strategy, s.role, s.model, s.num_rows,
        s.prompt_tokens, s.cached_tokens, s.generated_tokens, s.scored_tokens,
        s.thinking_tokens,
        if(s.role = 'rollout', 'labelled steps', 'right solutions') as kept,
        if(s.role = 'rollout', coalesce(l.num_labelled, 0), s.num_right) as num_kept
    from solved as s
    left join labelled as l
        on s.run_id = l.run_id and s.stage = l.stage and s.model = l.model
    union all
    select
        'step_scores' as table_name,
        run_id, stage, 'score' as strategy, null as role, verifier as model,
        count(*) as num_rows,
        0 as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        coalesce(sum(generated_tokens), 0) as generated_tokens,
        sum(scored_tokens) as scored_tokens,
        null as thinking_tokens,
        'scored solutions' as kept,
        count(*) filter (error is null) as num_kept
    from step_scores
    group by all
    union all
    select
        'critiques' as table_name,
        run_id, stage, 'critique' as strategy, 'critic' as role, critic as model,
        count(*) as num_rows,
        sum(prompt_tokens) as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(generated_tokens) as generated_tokens,
        0 as scored_tokens,
        null as thinking_tokens,
        'readable critiques' as kept,
        count(*) filter (fault is null) as num_kept
    from critiques
    group by all
    union all
    select
        'judgements' as table_name,
        run_id, stage, 'judge' as strategy, 'judge' as role, judge as model,
        count(*) as num_rows,
        sum(prompt_tokens) as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(generated_tokens) as generated_tokens,
        0 as scored_tokens,
        null as thinking_tokens,
        'verdicts' as kept,
        count(*) filter (verdict is not null) as num_kept
    from judgements
    group by all
    union all
    select
        'token_rewards' as table_name,
        run_id, stage, 'token_rewards' as strategy, null as role,
        coalesce(verifier, reward) as model,
        count(*) as num_rows,
        0 as prompt_tokens,
        0 as cached_tokens,
        0 as generated_tokens,
        sum(scored_tokens) as scored_tokens,
        null as thinking_tokens,
        'rewarded solutions' as kept,
        count(*) filter (error is null) as num_kept
    from token_rewards
    group by all
    union all
    select
        'planted_samples' as table_name,
        run_id, stage, arm as strategy, null as role, hold || array_to_string(gammas, ',') as model,
        count(*) as num_rows,
        0 as prompt_tokens,
        0 as cached_tokens,
        coalesce(
            sum(len(symbols)) filter (arm not in ('teacher', 'read', 'vb_bon', 'truth_bon')), 0
        ) as generated_tokens,
        coalesce(sum(len(symbols)) filter (score is not null and arm != 'vb_bon'), 0)
            as scored_tokens,
        null as thinking_tokens,
        'right traces' as kept,
        count(hit_time) as num_kept
    from planted_samples
    group by all
),
busy as (
    select
        run_id, stage, table_name,
        if(count(seconds) = count(*), sum(seconds), null) as seconds
    from units
    group by all
),
shared as (
    select
        s.*,
        b.seconds,
        s.generated_tokens + s.scored_tokens as tokens,
        sum(s.generated_tokens + s.scored_tokens) over stage_table as stage_tokens,
        sum(s.num_rows) over stage_table as stage_rows
    from spent as s
    left join busy as b
        on s.run_id = b.run_id and s.stage = b.stage and s.table_name = b.table_name
    window stage_table as (partition by s.run_id, s.stage, s.table_name)
)
select
    run_id, stage, strategy, role, model, num_rows::bigint as num_rows,
    prompt_tokens::bigint as prompt_tokens,
    cached_tokens::bigint as cached_tokens,
    generated_tokens::bigint as generated_tokens,
    scored_tokens::bigint as scored_tokens,
    seconds * coalesce(tokens / nullif(stage_tokens, 0), num_rows / stage_rows) as engine_s,
    kept, num_kept::bigint as num_kept,
    tokens / nullif(num_kept, 0) as tokens_per_kept,
    thinking_tokens::bigint as thinking_tokens
from shared
