-- One row per run and flow: its newest event is its state.
with ranked as (
    select
        run_id, flow, state, config_hash, code_version, message, happened_at,
        min(happened_at) over (partition by run_id, flow) as started_at,
        row_number() over (partition by run_id, flow order by happened_at desc, state) as age
    from runs
)
select run_id, flow, state, config_hash, code_version, message, started_at, happened_at as changed_at
from ranked
where age = 1
