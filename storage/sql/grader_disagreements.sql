-- One row per run x trajectory x pair of graders that decide differently, with the answer that each
-- found. `grader` comes before `other` in the alphabet.
select
    a.run_id, a.stage, a.problem_id, p.level, p.answer as gold, a.trajectory_id, a.policy, a.role,
    a.grader, a.answer, a.correct,
    b.grader as other, b.answer as other_answer, b.correct as other_correct
from grader_verdicts as a
inner join grader_verdicts as b
    on a.run_id = b.run_id and a.trajectory_id = b.trajectory_id and a.grader < b.grader
left join problem_list as p on a.run_id = p.run_id and a.problem_id = p.problem_id
where a.correct is not null and b.correct is not null and a.correct is distinct from b.correct
