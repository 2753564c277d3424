-- One row per run x policy x strategy x split x k: unbiased pass@k (arXiv:2107.03374, eq. 1), the mean
-- over problems. What counts is in `solve_rate`. The same problems stand behind every k, so pass@k
-- never falls as k grows: k goes as far as at least half of the problems were drawn, and a problem
-- with fewer solutions that count is measured on all that it has.
with ks as (
    select unnest([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]) as k
),
-- Once, as it reads all trajectories.
rates as materialized (
    select run_id, policy, strategy, split, problem_id, num_trajectories, num_counted, num_correct
    from solve_rate
),
reached as (
    select
        run_id, policy, strategy, split,
        list(num_trajectories order by num_trajectories)[count(*) // 2 + 1] as num_reached
    from rates
    group by all
),
asked as (
    select
        s.run_id, s.policy, s.strategy, s.split, s.problem_id, ks.k,
        s.num_counted, s.num_correct,
        least(ks.k, s.num_counted) as num_drawn
    from rates as s
    inner join reached as r
        on
            s.run_id = r.run_id and s.policy = r.policy and s.strategy = r.strategy
            and s.split is not distinct from r.split
    inner join ks on ks.k <= r.num_reached
    where s.num_counted > 0
),
per_problem as (
    select
        run_id, policy, strategy, split, problem_id, k,
        case
            when num_counted - num_correct < num_drawn then 1.0
            else 1.0 - exp(
                lgamma(num_counted - num_correct + 1.0)
                + lgamma(num_counted - num_drawn + 1.0)
                - lgamma(num_counted - num_correct - num_drawn + 1.0)
                - lgamma(num_counted + 1.0)
            )
        end as p_pass
    from asked
)
select
    run_id, policy, strategy, split, k,
    avg(p_pass) as pass_at_k,
    count(*) as num_problems
from per_problem
group by run_id, policy, strategy, split, k
