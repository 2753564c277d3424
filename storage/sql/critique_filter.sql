-- One row per critique: `n` of the actor's second attempts with it that count, and `k` of them right,
-- by the newest verdicts (the filter of AutoMathCritique, arXiv:2411.16579). Without an attempt that
-- counts, `n` is 0 and `share` null. Its threshold is a query: `where share >= 0.3`.
with attempts as (
    select
        run_id, critique_id,
        count(after) as n,
        count(*) filter (after) as k,
        count(*) filter (is_copy) as num_copies
    from refinements
    where critique_id is not null
    group by all
)
select
    c.run_id, p.split, p.level, c.critique_id, c.trajectory_id, c.problem_id, c.critic, c.told,
    outcome(s.status, s.answer, s.correct) as is_right,
    c.verdict, c.fault, c.leaks, c.round,
    coalesce(a.n, 0) as n,
    coalesce(a.k, 0) as k,
    a.k / nullif(a.n, 0) as share,
    coalesce(a.num_copies, 0) as num_copies
from critiques as c
left join graded as s on c.run_id = s.run_id and c.trajectory_id = s.trajectory_id
left join attempts as a on c.run_id = a.run_id and c.critique_id = a.critique_id
left join problem_list as p on c.run_id = p.run_id and c.problem_id = p.problem_id
