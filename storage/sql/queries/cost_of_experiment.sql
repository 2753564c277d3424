-- One row: tokens and seconds of engine time of a run and of the runs that are its parts.
select
    sum(generated_tokens + scored_tokens)::bigint as tokens,
    sum(engine_s) as engine_s
from cost
where run_id = $run_id or starts_with(run_id, $run_id || '.')
