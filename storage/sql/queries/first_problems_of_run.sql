-- One row per problem of a run, the first $num_rows by id, with how often it is solved.
select
    run_id, problem_id, split, level, subject, question, answer, num_solutions, num_counted,
    num_right, solve_rate
from problem_outcomes
where run_id = $run_id
order by problem_id
limit $num_rows
