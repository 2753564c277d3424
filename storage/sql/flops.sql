-- One row per run x stage x strategy x role x model x kind: floating point operations of a dense
-- model, 2 x parameters x token that it computed (`inference`: read or written, without what a cache
-- held) and 6 x parameters x token that it learned from (`training`, whose strategy and role are null).
-- `num_parameters` is what the table `models` says of the model, with all embeddings; it is null for a
-- model that no run of the store trained or pretrained, and so is `flops`. A sum over rows of which some
-- are null is too small: `count(*) = count(flops)` tells.
with described as (
    select
        run_id, stage, model_id, num_parameters,
        if(json_valid(metrics), metrics, '{}') as facts
    from models
),
parameters as (
    select
        model_id,
        max(
            coalesce(
                num_parameters,
                try_cast(json_extract_string(facts, '$.num_parameters') as bigint)
            )
        ) as num_parameters
    from described
    group by model_id
),
computed as (
    select
        run_id, stage, strategy, role, model, 'inference' as kind,
        sum(prompt_tokens + generated_tokens + scored_tokens - cached_tokens) as num_tokens
    from cost
    group by all
    union all
    select
        run_id, stage, null as strategy, null as role, model_id as model, 'training' as kind,
        max(
            coalesce(
                try_cast(json_extract_string(facts, '$.tokens') as bigint),
                try_cast(json_extract_string(facts, '$.num_tokens') as bigint)
            )
        ) as num_tokens
    from described
    group by run_id, stage, model_id
)
select
    c.run_id, c.stage, c.strategy, c.role, c.model, c.kind,
    p.num_parameters,
    c.num_tokens::bigint as num_tokens,
    if(c.kind = 'training', 6, 2)::double * p.num_parameters * c.num_tokens as flops
from computed as c
left join parameters as p on c.model = p.model_id
where c.num_tokens is not null
