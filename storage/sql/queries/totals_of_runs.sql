-- One row per run: its rows of trajectories, scores, critiques and judgements, and the tokens that models
-- generated and verified for them.
select run_id, sum(num_rows)::bigint as num_rows, sum(tokens)::bigint as tokens
from (
    select
        run_id, count(*) as num_rows,
        sum(generated_tokens + scored_tokens + coalesce(verifier_tokens, 0)) as tokens
    from trajectories
    group by run_id
    union all
    select
        run_id, count(*) as num_rows, sum(scored_tokens + coalesce(generated_tokens, 0)) as tokens
    from step_scores
    group by run_id
    union all
    select run_id, count(*) as num_rows, sum(generated_tokens) as tokens
    from critiques
    group by run_id
    union all
    select run_id, count(*) as num_rows, sum(generated_tokens) as tokens
    from judgements
    group by run_id
)
group by run_id
