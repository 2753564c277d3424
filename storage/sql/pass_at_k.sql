-- One row per run x policy x strategy x split x k: unbiased pass@k (arXiv:2107.03374, eq. 1),
-- the mean over problems that have at least k graded trajectories.
with ks as (
    select unnest([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]) as k
),
per_problem as (
    select
        s.run_id, s.policy, s.strategy, s.split, s.problem_id, ks.k,
        case
            when s.num_graded - s.num_correct < ks.k then 1.0
            else 1.0 - exp(
                lgamma(s.num_graded - s.num_correct + 1.0)
                + lgamma(s.num_graded - ks.k + 1.0)
                - lgamma(s.num_graded - s.num_correct - ks.k + 1.0)
                - lgamma(s.num_graded + 1.0)
            )
        end as p_pass
    from solve_rate as s
    inner join ks on ks.k <= s.num_graded
)
select
    run_id, policy, strategy, split, k,
    avg(p_pass) as pass_at_k,
    count(*) as num_problems
from per_problem
group by run_id, policy, strategy, split, k
