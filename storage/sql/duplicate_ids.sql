-- One row per trajectory id that several rows of one run have: none, unless files were copied.
select run_id, trajectory_id, count(*) as num_rows
from trajectories
group by run_id, trajectory_id
having count(*) > 1
