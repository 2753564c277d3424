-- One row: tokens and seconds of engine time of a run, of its parts, and of the runs $others.
select
    sum(generated_tokens + scored_tokens)::bigint as tokens,
    sum(engine_s) as engine_s
from cost
where
    run_id = $run_id
    or starts_with(run_id, $run_id || '.')
    or list_contains($others, run_id)
