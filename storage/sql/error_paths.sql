-- One row per run x strategy x kind of error x policy: solutions made wrong on purpose, and how many are.
--
-- `kind` is what the error put in is, as the row's note begins (`rg3`); null for `rg1` and `rg2`.
-- `num_graded` leaves out those without a verdict, `mean_place` is the mean of `error_step`.
select
    run_id, strategy,
    case when strategy = 'rg3' then nullif(split_part(error_note, ':', 1), '') end as kind,
    policy,
    count(*) as num_paths,
    count(*) filter (status = 'error') as num_errors,
    count(correct) as num_graded,
    count(*) filter (not correct) as num_wrong,
    count(*) filter (not correct) / nullif(count(correct), 0) as wrong_rate,
    avg(error_step) as mean_place
from graded
where role = 'error_path'
group by all
order by all
