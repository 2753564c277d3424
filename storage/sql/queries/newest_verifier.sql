-- One row, or none: where the newest verifier of the store lies.
select path
from models
where role = 'verifier'
order by created_at desc
limit 1
