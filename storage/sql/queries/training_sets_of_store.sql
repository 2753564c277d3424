-- One row per training set and run that registered it, the newest first. `source` is the part of its
-- config that says which solutions it was made from, in JSON.
select
    run_id, name, kind, form, path, num_rows, policy, config -> '$.source' as source, created_at
from training_sets
order by created_at desc, name, run_id
