-- One row per verifier that was trained in the store: the labels that it learned from. `data` is
-- `prm`, `orm` or `mixture`, `targets` hard or soft, `method` as in step_labels. Each value comes from
-- the model's `metrics`, or else from the trainings of its run if they all agree, or else is null.
with verifiers as (
    select
        model_id, run_id,
        metrics ->> '$.label_method' as method,
        coalesce(metrics ->> '$.targets', metrics ->> '$.config.training.targets') as targets,
        coalesce(metrics ->> '$.data', metrics ->> '$.config.training.data') as data
    from models
    where role = 'verifier'
    qualify row_number() over (partition by model_id order by created_at desc) = 1
),
only_methods as (
    select run_id, min(method) as method
    from step_labels
    group by run_id
    having count(distinct method) = 1
),
trainings as (
    select
        r.run_id,
        r.config ->> '$.training.model_name' as model_name,
        coalesce(r.config ->> '$.method', o.method) as method,
        r.config ->> '$.training.targets' as targets,
        r.config ->> '$.training.data' as data
    from runs as r
    left join only_methods as o on r.run_id = o.run_id
    where r.flow = 'prm_training' and r.state = 'started'
),
configured as (
    select
        v.model_id,
        any_value(t.method) as method, any_value(t.targets) as targets, any_value(t.data) as data
    from verifiers as v
    inner join trainings as t
        on v.run_id = t.run_id and starts_with(v.model_id, t.model_name || '-')
    group by v.model_id
    having count(distinct (t.method, t.targets, t.data)) = 1
)
select
    v.model_id, v.run_id,
    coalesce(v.method, c.method) as method,
    coalesce(v.targets, c.targets) as targets,
    coalesce(v.data, c.data) as data
from verifiers as v
left join configured as c on v.model_id = c.model_id
