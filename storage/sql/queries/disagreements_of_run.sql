-- One row per problem x pair of graders of a run that decide differently on its solutions, those with
-- most of them first: how many, and the answers of one of them.
select
    problem_id, any_value(level) as level, any_value(gold) as gold, grader, other,
    count(*)::bigint as num_solutions,
    arg_min({'answer': answer, 'correct': correct, 'other_answer': other_answer,
        'other_correct': other_correct, 'trajectory_id': trajectory_id}, trajectory_id) as example
from grader_disagreements
where run_id = $run_id and role is null
group by problem_id, grader, other
order by num_solutions desc, problem_id, grader, other
