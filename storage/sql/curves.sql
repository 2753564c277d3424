-- One row per run x policy x verifier x strategy x budget x bin x metric: every measured figure.
select
    run_id, policy, verifier, strategy, budget, bin, metric,
    value, ci_low, ci_high, num_problems
from metrics
