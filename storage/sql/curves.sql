-- One row per run x policy x verifier x strategy x budget x bin x metric: every measured figure.
-- Evaluating a second verifier measures again what needs no verifier: a figure of the same value
-- (to nine digits) over as many problems is one row, with the widest of its intervals. Figures that
-- differ, as those of two sets of problems do, stay apart.
select
    run_id, policy, verifier, strategy, budget, bin, metric,
    any_value(value) as value,
    min(ci_low) as ci_low,
    max(ci_high) as ci_high,
    num_problems
from metrics
group by
    run_id, policy, verifier, strategy, budget, bin, metric, num_problems, round(value, 9)
