-- One row per run, flow and part (a set of problems; null for a whole run): its newest event.
with ranked as (
    select
        run_id, flow, part, state, config_hash, code_version, message, happened_at,
        min(happened_at) over (partition by run_id, flow, part) as started_at,
        row_number() over (
            partition by run_id, flow, part order by happened_at desc, state
        ) as age
    from runs
)
select
    run_id, flow, part, state, config_hash, code_version, message,
    started_at, happened_at as changed_at
from ranked
where age = 1
