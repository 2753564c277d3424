-- One row per solution that a policy was asked for: drawn on its own, whatever became of it. `is_right`
-- is its outcome: true or false, or null if it is left out of every share (see the macro `outcome`).
-- Only searches that draw independent solutions are included: the candidates of a tree are not a
-- sample of the policy's solutions. The newest verdicts count.
select
    run_id, stage, trajectory_id, problem_id, policy, strategy, budget, sample_index, round,
    status, answer, correct, grader,
    outcome(status, answer, correct) as is_right
from graded
where
    parent_id is null
    and role is null
    and (budget is null or regexp_matches(strategy, '^(majority|best_of_n)( |$)'))
