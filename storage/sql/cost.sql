-- One row per run x stage x strategy x model: rows made and tokens spent. Verifiers' reading is
-- in `scored_tokens`; `cached_tokens` are the part of prompts and readings found in a cache.
with spent as (
    select
        run_id, stage, strategy, policy as model,
        count(*) as num_rows,
        sum(prompt_tokens) as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        sum(generated_tokens) as generated_tokens,
        sum(scored_tokens) as scored_tokens
    from trajectories
    group by all
    union all
    select
        run_id, stage, 'score' as strategy, verifier as model,
        count(*) as num_rows,
        0 as prompt_tokens,
        sum(cached_tokens) as cached_tokens,
        0 as generated_tokens,
        sum(scored_tokens) as scored_tokens
    from step_scores
    group by all
)
select
    run_id, stage, strategy, model,
    num_rows, prompt_tokens, cached_tokens, generated_tokens, scored_tokens
from spent
