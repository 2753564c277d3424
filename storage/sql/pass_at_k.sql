-- One row per run x policy x strategy x split x k: unbiased pass@k (arXiv:2107.03374, eq. 1), the mean
-- over problems. What counts is in `solve_rate`. The same problems stand behind every k, so pass@k
-- never falls as k grows: k goes as far as at least half of the problems were drawn, and a problem
-- with fewer solutions that count is measured on all that it has. The largest k is always given; the
-- others are powers of two.
with reached as (
    select
        run_id, policy, strategy, split,
        list(num_trajectories order by num_trajectories)[count(*) // 2 + 1] as num_reached
    from solve_rate
    group by all
),
ks as (
    select
        run_id, policy, strategy, split,
        unnest(list_distinct(list_append(
            list_filter([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], lambda k: k <= num_reached),
            num_reached
        ))) as k
    from reached
    where num_reached > 0
),
asked as (
    select
        s.run_id, s.policy, s.strategy, s.split, s.problem_id, ks.k,
        s.num_counted, s.num_correct,
        least(ks.k, s.num_counted) as num_drawn
    from solve_rate as s
    inner join ks
        on
            s.run_id = ks.run_id and s.policy = ks.policy and s.strategy = ks.strategy
            and s.split is not distinct from ks.split
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
