-- One row per run x problem: the problem as in the first file of the run that contains it.
select
    run_id, problem_id,
    any_value(source) as source, any_value(split) as split,
    any_value(question) as question, any_value(answer) as answer,
    any_value(level) as level, any_value(subject) as subject
from problems
group by run_id, problem_id
