-- One row per reward of a trajectory of a run, divided among its tokens.
select *
from token_rewards
where trajectory_id = $trajectory_id and run_id = $run_id
order by reward, verifier, created_at
