-- One row per run x split x policy x pair of graders: how their newest verdicts on the policy's
-- solutions agree. `grader` comes before `other` in the alphabet. Shares are of the solutions that
-- both decide; `kappa` is Cohen's, null where chance alone would agree on everything. The same
-- figures with intervals, by level and by length, are in `curves`, with strategy `grading`.
with counted as (
    select
        a.run_id, p.split, a.policy, a.grader, b.grader as other,
        count(*) as num_solutions,
        count(*) filter (a.correct is null or b.correct is null) as num_undecided,
        count(*) filter (a.correct and b.correct) as num_both_right,
        count(*) filter (a.correct and not b.correct) as num_only_grader,
        count(*) filter (not a.correct and b.correct) as num_only_other,
        count(*) filter (not a.correct and not b.correct) as num_both_wrong
    from grader_verdicts as a
    inner join grader_verdicts as b
        on a.run_id = b.run_id and a.trajectory_id = b.trajectory_id and a.grader < b.grader
    left join problem_list as p on a.run_id = p.run_id and a.problem_id = p.problem_id
    where a.role is null
    group by all
),
shares as (
    select
        *,
        num_solutions - num_undecided as num_decided,
        (num_both_right + num_both_wrong) / nullif(num_decided, 0) as agreement,
        (
            (num_both_right + num_only_grader) * (num_both_right + num_only_other)
            + (num_both_wrong + num_only_grader) * (num_both_wrong + num_only_other)
        ) / nullif(num_decided * num_decided, 0) as by_chance
    from counted
)
select
    * exclude (by_chance),
    (agreement - by_chance) / nullif(1 - by_chance, 0) as kappa
from shares
