-- One row, or none: a training set, as it was registered last.
select run_id, name, kind, form, path, num_rows, policy, config, counts, created_at
from training_sets
where name = $name
order by created_at desc
limit 1
