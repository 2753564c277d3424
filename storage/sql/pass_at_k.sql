-- One row per run x policy x strategy x split x k: unbiased pass@k (arXiv:2107.03374, eq. 1), the mean
-- over problems. What counts is in `solve_rate`. The same problems stand behind every k, so pass@k
-- never falls as k grows: k goes as far as at least half of the problems were drawn, and a problem
-- with fewer solutions that count is measured on all that it has. The largest k is always given; the
-- others are powers of two.
-- Windows instead of a join of the rates with themselves, which would read all trajectories twice.
with ranked as (
    select
        run_id, policy, strategy, split, problem_id, num_trajectories, num_counted, num_correct,
        row_number() over (alike order by num_trajectories) as place,
        count(*) over alike as num_alike
    from solve_rate
    window alike as (partition by run_id, policy, strategy, split)
),
reached as (
    select
        run_id, policy, strategy, split, problem_id, num_counted, num_correct,
        max(num_trajectories) filter (place = num_alike // 2 + 1)
            over (partition by run_id, policy, strategy, split) as num_reached
    from ranked
),
drawn as (
    select
        run_id, policy, strategy, split, problem_id, num_counted, num_correct,
        unnest(list_distinct(list_append(
            list_filter([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], lambda k: k <= num_reached),
            num_reached
        ))) as k
    from reached
    where num_reached > 0 and num_counted > 0
),
asked as (
    select *, least(k, num_counted) as num_drawn
    from drawn
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
