-- One row per run x mixture (hold, gammas, weights) x horizon x seed x writer x reward kind, where
-- the writer is the mixture itself (`teacher`) or the base trained on it: how much rewards differ.
-- `heterogeneity` is the variance of the reward (sigma squared), which sum_h E[Var Q] equals;
-- `within_questions` is the mean variance among the traces of one question, null where each has one.
-- `anti_concentration` is the share of traces whose reward is at least mean + sigma sqrt(1/2).
-- `divergence` is Kullback and Leibler's of base and mixture per symbol in nats, in the direction of
-- the writer. Rewards are read from hitting times, so both kinds are there.
with kinds as (
    select unnest(['bilevel', 'binary']) as reward_kind
),
rewarded as (
    select
        s.run_id, s.hold, s.gammas, s.weights, s.horizon, s.seed, s.arm, k.reward_kind,
        s.question, s.hit_time,
        case
            when s.hit_time is null then 0.0
            when k.reward_kind = 'binary' then 1.0
            else (s.horizon - s.hit_time + 1)::double
        end as reward,
        if(s.arm = 'teacher', 1, -1) * (s.mixture_logprob - s.base_logprob) / s.horizon
            as divergence
    from planted_samples as s
    cross join kinds as k
    where s.arm in ('teacher', 'base')
),
moments as (
    select
        run_id, hold, gammas, weights, horizon, seed, arm, reward_kind,
        avg(reward) as mean_reward, var_pop(reward) as heterogeneity
    from rewarded
    group by all
),
questions as (
    select
        run_id, hold, gammas, weights, horizon, seed, arm, reward_kind, question,
        var_samp(reward) as variance
    from rewarded
    group by all
),
within as (
    select
        run_id, hold, gammas, weights, horizon, seed, arm, reward_kind,
        avg(variance) as within_questions
    from questions
    group by all
)
select
    r.run_id, r.hold, r.gammas, r.weights, r.horizon, r.seed, r.arm as writer, r.reward_kind,
    count(*) as num_traces,
    any_value(m.mean_reward) as mean_reward,
    avg((r.hit_time is not null)::int) as success,
    any_value(m.heterogeneity) as heterogeneity,
    any_value(w.within_questions) as within_questions,
    avg((r.reward >= m.mean_reward + sqrt(m.heterogeneity / 2) - 1e-9)::int)
        as anti_concentration,
    avg(r.divergence) as divergence
from rewarded as r
inner join moments as m
    using (run_id, hold, gammas, weights, horizon, seed, arm, reward_kind)
inner join within as w
    using (run_id, hold, gammas, weights, horizon, seed, arm, reward_kind)
group by all
