-- One row per stage x table of a run: its units, rows, and seconds of actors' time (null if a file does
-- not record it).
select
    stage, table_name,
    count(*) as num_units,
    sum(num_rows)::bigint as num_rows,
    if(count(seconds) = count(*), sum(seconds), null) as seconds
from units
where run_id = $run_id
group by stage, table_name
order by stage, table_name
