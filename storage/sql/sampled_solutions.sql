-- One row per whole solution that was sampled or imported and came to an end, by its newest verdict:
-- no rollouts, no branches of search trees, none that an engine refused.
select
    run_id, stage, trajectory_id, problem_id, policy, strategy, sample_index, round,
    status, answer, correct, grader, steps
from graded
where
    stage in ('sampling', 'imports')
    and role is null
    and parent_id is null
    and status in ('finished', 'truncated')
    and len(steps) > 0
