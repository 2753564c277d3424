-- One row per run x verifier x scored trajectory: its step scores reduced to one by each of the
-- reductions.
select
    run_id, verifier, trajectory_id,
    list_min(scores) as min_score,
    list_aggregate(scores, 'product') as prod_score,
    list_last(scores) as last_score,
    list_avg(scores) as mean_score
from step_scores
where error is null and len(scores) > 0
