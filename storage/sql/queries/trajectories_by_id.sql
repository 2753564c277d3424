-- One row per trajectory whose id begins with $id, at most three.
select *
from graded
where starts_with(trajectory_id, $id)
limit 3
