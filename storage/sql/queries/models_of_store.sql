-- One row per model and run that registered it, the newest first: what it was made from, without its
-- figures.
select run_id, stage, model_id, role, path, base, training_set, num_parameters, created_at
from models
order by created_at desc, model_id, run_id
