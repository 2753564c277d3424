-- One row per run x stage x set x policy x verifier x strategy x pick x budget x arm x bin x metric
-- x against: the newest measurement of the figure; stage `search` has the figures of searches,
-- `evaluation` those of samples. Figures that need no verifier have none, and appear once however
-- many verifiers were evaluated. Set and time are null in stores of the first version. Version 3
-- joined several names in one column; they are separated here as in schemas/metric_names.py.
with parsed as (
    select
        *,
        regexp_extract(strategy, '^(step_scores|compute_optimal)\[(.+)\]$', ['name', 'of'])
            as glued_strategy,
        regexp_extract(
            strategy,
            '(?s)^(.+)/(majority|likelihood'
            || '|(?:best_of_n|weighted|chains|likelihood\+logit)\[[^\[\]]*\])$',
            ['name', 'of']
        ) as glued_pick,
        regexp_extract(
            metric, '^(gain_over|gain_at_equal_tokens|chosen)\[(.+)\]$', ['name', 'of']
        ) as glued_metric,
        coalesce(pick, arm, against) is null as may_be_glued
    from metrics
),
named as (
    select
        run_id, set_name, policy, verifier, budget, bin, value, ci_low, ci_high, num_problems,
        created_at, stage,
        case
            when not may_be_glued then strategy
            when starts_with(bin, 'round=') and contains(metric, '@') then split_part(metric, '@', 1)
            when starts_with(bin, 'round=') then 'pool'
            else coalesce(nullif(glued_strategy.name, ''), nullif(glued_pick.name, ''), strategy)
        end as strategy,
        case
            when not may_be_glued then pick
            when glued_strategy.name = 'compute_optimal' then glued_strategy.of
            else nullif(glued_pick.of, '')
        end as pick,
        case
            when not may_be_glued then arm
            when starts_with(bin, 'round=') then strategy
            when glued_metric.name = 'chosen' then glued_metric.of
        end as arm,
        case
            when may_be_glued and glued_metric.name != '' then glued_metric.name
            else metric
        end as metric,
        case
            when not may_be_glued then against
            when starts_with(glued_metric.name, 'gain_') then glued_metric.of
            when glued_strategy.name = 'step_scores' then glued_strategy.of
        end as against
    from parsed
)
select
    run_id, set_name, policy, verifier, strategy, pick, budget, arm, bin, metric, against,
    value, ci_low, ci_high, num_problems, created_at, stage
from named
qualify row_number() over (
    partition by
        run_id, stage, set_name, policy, verifier, strategy, pick, budget, arm, bin, metric, against
    order by created_at desc nulls last, value
) = 1
