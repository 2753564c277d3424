-- One row: how many problems a run has.
select count(*) as num
from problem_outcomes
where run_id = $run_id
