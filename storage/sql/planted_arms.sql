-- One row per run x mixture (hold, gammas, weights) x horizon x reward kind x n x seed x arm of the
-- planted-subsequence study: the mean reward of its traces, and the share that holds the gold. n is
-- null for the base and for arms with the truth in place of a verifier. `reward_se` is the standard
-- error over questions.
with questions as (
    select
        run_id, hold, gammas, weights, horizon, reward_kind, n, seed, arm, question,
        avg(reward) as reward,
        avg((hit_time is not null)::int) as success,
        count(*) as num_traces
    from planted_samples
    where arm not in ('teacher', 'pool', 'read')
    group by all
)
select
    run_id, hold, gammas, weights, horizon, reward_kind, n, seed, arm,
    count(*) as num_questions,
    sum(num_traces)::bigint as num_traces,
    avg(reward) as reward,
    stddev_samp(reward) / sqrt(count(*)) as reward_se,
    avg(success) as success
from questions
group by all
