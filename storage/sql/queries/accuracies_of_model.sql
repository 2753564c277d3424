-- One row per accuracy over a whole set of problems that a policy reached, or that was reached with a
-- verifier, the runs by name.
select run_id, set_name, policy, verifier, strategy, budget, value, ci_low, ci_high, num_problems
from curves
where
    metric = 'accuracy'
    and bin = 'all'
    and pick is null
    and (policy = $model_id and verifier is null or verifier = $model_id)
order by run_id, set_name, strategy, budget
limit $num_rows
