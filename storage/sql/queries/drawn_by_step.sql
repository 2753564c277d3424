-- One row per optimizer step at which a training of a run drew solutions: their tokens, and how many
-- of those that could be judged are right and were not cut off.
select
    training_step,
    sum(generated_tokens)::bigint as num_tokens,
    count(distinct problem_id) as num_problems,
    count(*) filter (correct is not null or status <> 'finished') as num_judged,
    count(*) filter (correct and status = 'finished') as num_right
from graded
where run_id = $run_id and stage = 'policy_training' and training_step is not null
group by training_step
order by training_step
