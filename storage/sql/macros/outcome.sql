-- What a solution counts as, by its status, its answer and its verdict: true right, false not right,
-- null left out of every share, because it could not be judged through no fault of the policy (see
-- docs/grading.md). A solution that was cut before it gave an answer is not right. The same rule as
-- `outcome` in tasks/graders/verdicts.py.
create macro outcome(status, answer, correct) as
case
    when status not in ('finished', 'truncated') then null
    when correct is not null then correct
    when status = 'truncated' and answer is null then false
end
