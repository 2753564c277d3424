-- One row per policy that was evaluated: pass@1, as it was measured last over whole sets of problems.
select
    policy,
    arg_max(
        {'value': value, 'ci_low': ci_low, 'ci_high': ci_high, 'run_id': run_id,
            'set_name': set_name, 'num_problems': num_problems},
        coalesce(created_at, 'epoch'::timestamptz)
    ) as measured
from curves
where metric = 'accuracy' and strategy = 'pass' and budget = 1 and bin = 'all' and pick is null
group by policy
