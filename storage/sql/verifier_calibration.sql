-- One row per run x verifier x tenth of the score range: how often a solution whose last step
-- scores in that tenth has the right answer, by its newest verdict.
with last_scores as (
    select run_id, verifier, trajectory_id, scores[len(scores)] as score
    from step_scores
    where len(scores) > 0
),
judged as (
    select s.run_id, s.verifier, s.score, t.correct, least(floor(s.score * 10), 9) / 10 as bin_low
    from last_scores as s
    inner join graded as t on s.run_id = t.run_id and s.trajectory_id = t.trajectory_id
    where t.correct is not null
)
select
    run_id, verifier, bin_low,
    count(*) as num_trajectories,
    avg(score) as mean_score,
    avg(correct::integer) as right_share
from judged
group by run_id, verifier, bin_low
