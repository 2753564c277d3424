-- One row per run x stage x split x policy x strategy x role: how the texts that a policy wrote ended,
-- and of how many steps its solutions are. Shares are of `num_ended`, the rows that are finished or
-- truncated; `answerless` rows give no answer, `ungraded` ones have no verdict (a row that was cut
-- before its answer is all three). Steps are those of rows that continue no other row. A policy in
-- training is one policy, whatever its step. The newest verdicts count.
with texts as (
    select
        g.run_id, g.stage, p.split,
        if(
            g.training_step is null, g.policy, regexp_replace(g.policy, '@[0-9]+$', '')
        ) as policy,
        g.strategy, g.role, g.status,
        g.status in ('finished', 'truncated') as has_ended,
        g.answer is null as is_answerless,
        g.correct is null as is_ungraded,
        if(
            g.parent_id is null and g.status in ('finished', 'truncated'), len(g.steps), null
        ) as num_steps
    from graded as g
    left join problem_list as p on g.run_id = p.run_id and g.problem_id = p.problem_id
),
counted as (
    select
        run_id, stage, split, policy, strategy, role,
        count(*) as num_rows,
        count(*) filter (has_ended) as num_ended,
        count(*) filter (status = 'error') as num_errors,
        count(*) filter (status = 'truncated') as num_truncated,
        count(*) filter (has_ended and is_answerless) as num_answerless,
        count(*) filter (has_ended and is_ungraded) as num_ungraded,
        count(num_steps) as num_whole,
        count(*) filter (num_steps <= 1) as num_one_step,
        quantile_disc(num_steps, 0.5) as median_steps,
        quantile_disc(num_steps, 0.95) as p95_steps
    from texts
    group by all
)
select
    run_id, stage, split, policy, strategy, role,
    num_rows, num_ended, num_errors, num_truncated, num_answerless, num_ungraded, num_one_step,
    num_truncated / nullif(num_ended, 0) as truncated_share,
    num_answerless / nullif(num_ended, 0) as answerless_share,
    num_ungraded / nullif(num_ended, 0) as ungraded_share,
    num_one_step / nullif(num_whole, 0) as one_step_share,
    median_steps, p95_steps
from counted
