-- One row per unit that failed because of its own content and is not committed: its newest failure,
-- and how often it failed. A run with the same run id tries it again.
with ranked as (
    select
        run_id, stage, unit, error_type, message, happened_at,
        count(*) over (partition by unit) as num_failures,
        row_number() over (partition by unit order by happened_at desc) as age
    from failures
),
committed as (
    select concat(table_name, '/run_id=', run_id, '/stage=', stage, '/', unit, '.parquet') as unit
    from units
)
select run_id, stage, unit, error_type, message, num_failures, happened_at
from ranked
where age = 1 and unit not in (select unit from committed)
