-- One row, or none: a problem of a run.
select *
from problem_list
where problem_id = $problem_id and run_id = $run_id
