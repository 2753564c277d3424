-- One row, or none: the config (JSON) of the verifier that a run last searched with.
select config -> '$.verifier' as verifier
from runs
where run_id = $run_id and flow = 'search' and config ->> '$.verifier' is not null
order by happened_at desc
limit 1
