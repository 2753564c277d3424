-- One row per critique of a solution of a run.
select *
from critiques
where trajectory_id = $trajectory_id and run_id = $run_id
order by critic, told, temperature, sample_index, created_at
