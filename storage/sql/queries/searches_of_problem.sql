-- One row per search of a problem whose id begins with $id.
select distinct problem_id, run_id, strategy, budget, policy, verifier
from decisions
where starts_with(problem_id, $id)
order by all
