-- One row per run x stage x set x policy x verifier x strategy x budget x bin x metric: the figure
-- as it was measured last; stage `search` has those of searches, `evaluation` those of samples.
-- What needs no verifier has none, and is there once however many verifiers were evaluated. Set and
-- time are null in figures of a store's first version.
select
    run_id, set_name, policy, verifier, strategy, budget, bin, metric,
    value, ci_low, ci_high, num_problems, created_at, stage
from metrics
qualify row_number() over (
    partition by run_id, stage, set_name, policy, verifier, strategy, budget, bin, metric
    order by created_at desc nulls last, value
) = 1
