-- One row per committed unit: the file it lies in (a folded file holds several units), its rows, and
-- the seconds of an actor's time that its work took (null in files of an older version).
with held as (
    select
        path,
        num_rows as file_rows,
        split_part(path, '/', 1) as table_name,
        regexp_extract(path, 'run_id=([^/]+)', 1) as run_id,
        regexp_extract(path, 'stage=([^/]+)', 1) as stage,
        regexp_extract(path, '([^/]+)[.]parquet$', 1) as file_name,
        unnest(
            coalesce(
                from_json(units, '[{"name": "VARCHAR", "rows": "BIGINT", "seconds": "DOUBLE"}]'),
                [null]
            )
        ) as unit
    from file_metadata
)
select
    run_id, stage, table_name,
    coalesce(unit.name, file_name) as unit,
    coalesce(unit.rows, file_rows) as num_rows,
    unit.seconds as seconds,
    path
from held
