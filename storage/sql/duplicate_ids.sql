-- One row per trajectory id that occurs in several rows of a run: none, unless files were copied.
select run_id, trajectory_id, count(*) as num_rows
from trajectories
group by run_id, trajectory_id
having count(*) > 1
