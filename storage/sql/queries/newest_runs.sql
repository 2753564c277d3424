-- One row per run, the newest first, at most $num_runs.
select run_id
from run_state
group by run_id
order by max(changed_at) desc
limit $num_runs
