-- One row per trajectory whose parents are in its run: the whole solution, including the steps that
-- a branch of a search tree or a rollout takes from the rows it continues. `answer` and `correct` are
-- those of the newest verdict. A revision or a judgement (`branch_step` 0) starts a new text.
-- All texts of the store are assembled before any filter applies.
with recursive whole as (
    select run_id, trajectory_id, steps
    from trajectories
    where parent_id is null or coalesce(branch_step, 0) = 0
    union all
    select t.run_id, t.trajectory_id, list_concat(w.steps[:t.branch_step], t.steps) as steps
    from trajectories as t
    inner join whole as w on t.run_id = w.run_id and t.parent_id = w.trajectory_id
    where t.branch_step > 0 and len(w.steps) >= t.branch_step
)
select
    g.run_id, g.stage, g.trajectory_id, g.problem_id, g.policy, g.strategy, g.role, g.budget, g.verifier,
    g.sample_index, g.parent_id, g.branch_step, g.status, g.reason, g.answer, g.correct,
    w.steps,
    array_to_string(list_transform(w.steps, lambda step: step.text), '') as text
from whole as w
inner join graded as g on w.run_id = g.run_id and w.trajectory_id = g.trajectory_id
