-- One row per whole solution that was sampled or imported, finished or truncated, with its newest
-- verdict; without rollouts, branches of search trees, and solutions that an engine rejected.
select
    run_id, stage, trajectory_id, problem_id, policy, strategy, sample_index, round,
    status, answer, correct, grader, steps, token_ids, vocabulary
from graded
where
    stage in ('sampling', 'imports')
    and role is null
    and parent_id is null
    and status in ('finished', 'truncated')
    and len(steps) > 0
