-- One row per pick of one search of a problem, the main pick first.
select pick, is_main, trajectory_id, answer, correct, status, generated_tokens, scored_tokens
from decisions
where
    run_id = $run_id
    and problem_id = $problem_id
    and strategy = $strategy
    and budget = $budget
    and policy = $policy
    and verifier is not distinct from $verifier
order by is_main desc, pick
