-- The rows of `quarantined`, in order.
select unit, error_type, message, num_failures
from quarantined
order by all
