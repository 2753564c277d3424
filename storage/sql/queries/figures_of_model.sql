-- One row, or none: the figures and the config (JSON) that a model was registered with last.
select run_id, metrics
from models
where model_id = $model_id
order by created_at desc
limit 1
