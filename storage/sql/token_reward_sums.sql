-- One row per run x stage x trajectory x reward x verifier: what a solution earns (`total`), the sum
-- of its tokens' rewards and how far that is off, its tokens, the share of |rewards| that its last
-- token has, and the number of tokens that the shares are as good as spread over: exp(entropy), null
-- where no shares are stored.
with parts as (
    select
        run_id, stage, trajectory_id, reward, verifier, total, len(rewards) as num_tokens,
        list_sum(rewards) as rewards_sum,
        rewards[-1] as last_reward,
        list_sum(list_transform(rewards, lambda r: abs(r))) as size,
        shares
    from token_rewards
    where error is null
)
select
    run_id, stage, trajectory_id, reward, verifier, num_tokens, total, rewards_sum,
    rewards_sum - total as off_by,
    abs(last_reward) / nullif(size, 0) as last_share,
    exp(-list_sum(list_transform(shares, lambda a: if(a > 0, a * ln(a), 0)))) as effective_tokens
from parts
