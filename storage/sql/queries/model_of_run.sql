-- One row, or none: the figures (JSON) that a model of a run was registered with.
select metrics
from models
where run_id = $run_id and model_id = $model_id
