-- One row: whether a run has figures of a loop's rounds.
select count(*) > 0 as has_rounds
from metrics
where run_id = $run_id and arm is not null and starts_with(bin, 'round=')
