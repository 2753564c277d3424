-- One row per run x verifier x tenth of the score range: how often a solution whose last step
-- scores in that tenth is right, by its newest verdict and the macro `outcome`.
with last_scores as (
    select run_id, verifier, trajectory_id, scores[len(scores)] as score
    from step_scores
    where len(scores) > 0
),
judged as (
    select
        s.run_id, s.verifier, s.score,
        outcome(t.status, t.answer, t.correct) as is_right,
        least(floor(s.score * 10), 9) / 10 as bin_low
    from last_scores as s
    inner join graded as t on s.run_id = t.run_id and s.trajectory_id = t.trajectory_id
)
select
    run_id, verifier, bin_low,
    count(*) as num_trajectories,
    avg(score) as mean_score,
    avg(is_right::integer) as right_share
from judged
where is_right is not null
group by run_id, verifier, bin_low
