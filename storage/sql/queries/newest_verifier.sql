-- One row, or none: the path of the newest verifier of the store.
select path
from models
where role = 'verifier'
order by created_at desc
limit 1
