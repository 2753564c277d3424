-- One row per critique whose id begins with $id, at most three.
select *
from critiques
where starts_with(critique_id, $id)
limit 3
