-- One row per pick of the searches of a problem of a run.
select
    strategy, budget, policy, verifier, pick, is_main, status, trajectory_id, answer, correct,
    num_candidates, num_finished, generated_tokens, scored_tokens
from decisions
where run_id = $run_id and problem_id = $problem_id
order by strategy, budget, policy, verifier, is_main desc, pick
