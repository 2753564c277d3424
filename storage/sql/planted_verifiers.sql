-- One row per run x mixture (hold, gammas, weights) x horizon x reward kind x n x seed x kind of
-- traces of the planted-subsequence study: a verifier fitted to n labelled traces against the true
-- reward of the base's other traces (`read`), or of the policy that was trained on its score
-- (`vb_rl`). `error` is the mean absolute error and `bias` the mean of score less reward, in rewards.
select
    run_id, hold, gammas, weights, horizon, reward_kind, n, seed, arm,
    count(*) as num_traces,
    avg(abs(score - reward)) as error,
    avg(score - reward) as bias,
    corr(score, reward) as correlation
from planted_samples
where score is not null and arm in ('read', 'vb_rl')
group by all
