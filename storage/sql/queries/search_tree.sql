-- One row per trajectory of one search of a problem, in the order of `sample_index`.
select *
from graded
where
    run_id = $run_id
    and problem_id = $problem_id
    and strategy = $strategy
    and budget = $budget
    and policy = $policy
    and verifier is not distinct from $verifier
order by sample_index
