-- One row per run x stage x split x policy x critic x told x temperature: what a critic's critiques of
-- a policy's solutions say, by the newest verdicts. Those of stage `step_labels` are a judge's.
-- Critiques of solutions made wrong on purpose are left out. `flagged_share` is of critiques of solutions that are not right, `passed_share` of those
-- of right ones; one without a verdict does neither. `located_share` is of critiques of solutions
-- whose first wrong step is known from the labels of an exact checker or imported ones: those that
-- judge exactly this step to be the first wrong one; `clean_share` of those without an error: those
-- that find none. The same figures with intervals are in `curves`, with strategy `critique`.
with labelled as (
    select
        run_id, trajectory_id, step_index,
        arg_min(hard, if(evidence = 'checker', 0, 1)) as hard
    from step_labels
    where hard is not null and evidence in ('checker', 'imported')
    group by all
),
first_wrong as (
    select run_id, trajectory_id, min(step_index) filter (not hard) as first_error
    from labelled
    group by all
),
truth as (
    select
        l.run_id, l.trajectory_id, w.first_error,
        count(*) filter (w.first_error is null or l.step_index < w.first_error) as num_right
    from labelled as l
    inner join first_wrong as w on l.run_id = w.run_id and l.trajectory_id = w.trajectory_id
    group by all
),
judged as (
    select
        c.run_id, c.stage, p.split, s.policy, c.critic, c.told, c.temperature,
        outcome(s.status, s.answer, s.correct) as is_right,
        c.status, c.verdict, c.fault, c.leaks, c.generated_tokens,
        len(c.steps) > 0 and c.first_error is not distinct from t.first_error as is_located,
        t.num_right >= coalesce(t.first_error, len(s.steps)) as is_known,
        t.first_error is not null as has_error
    from critiques as c
    inner join graded as s on c.run_id = s.run_id and c.trajectory_id = s.trajectory_id
    left join problem_list as p on c.run_id = p.run_id and c.problem_id = p.problem_id
    left join truth as t on c.run_id = t.run_id and c.trajectory_id = t.trajectory_id
    where s.role is null
),
counted as (
    select
        run_id, stage, split, policy, critic, told, temperature,
        count(*) as num_critiques,
        count(*) filter (not is_right) as num_wrong,
        count(*) filter (not is_right and not verdict) as num_flagged,
        count(*) filter (is_right) as num_right,
        count(*) filter (is_right and verdict) as num_passed,
        count(*) filter (fault is not null) as num_unreadable,
        count(*) filter (status = 'truncated') as num_truncated,
        count(*) filter (status = 'error') as num_errors,
        count(*) filter (leaks) as num_leaks,
        count(*) filter (is_known and has_error) as num_erroneous,
        count(*) filter (is_known and has_error and is_located) as num_located,
        count(*) filter (is_known and not has_error) as num_flawless,
        count(*) filter (is_known and not has_error and is_located) as num_clean,
        sum(generated_tokens)::bigint as generated_tokens
    from judged
    group by all
)
select
    *,
    num_flagged / nullif(num_wrong, 0) as flagged_share,
    num_passed / nullif(num_right, 0) as passed_share,
    num_located / nullif(num_erroneous, 0) as located_share,
    num_clean / nullif(num_flawless, 0) as clean_share,
    num_unreadable / num_critiques as unreadable_share,
    num_leaks / num_critiques as leak_share,
    generated_tokens / num_critiques as tokens_per_critique
from counted
