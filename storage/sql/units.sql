-- One row per committed unit: its file (a folded file contains several units), its number of rows,
-- and the seconds of an actor's time that its work took (null in files of older versions).
with held as (
    select
        path, num_rows as file_rows,
        unnest(
            coalesce(
                from_json(units, '[{"name": "VARCHAR", "rows": "BIGINT", "seconds": "DOUBLE"}]'),
                [null]
            )
        ) as unit
    from file_metadata
)
select
    f.run_id, f.stage, f.table_name,
    coalesce(h.unit.name, f.file_name) as unit,
    coalesce(h.unit.rows, h.file_rows) as num_rows,
    h.unit.seconds as seconds,
    h.path
from held as h
inner join files as f on h.path = f.path
