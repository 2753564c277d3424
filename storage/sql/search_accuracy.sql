-- One row per run x set x policy x verifier x strategy x budget x pick: how often the pick's answer
-- is right, and the cost of the search per problem. Each search counts: a problem that a run searched
-- twice with different seeds counts twice in `num_searches`. Answers that could not be graded,
-- including errors, are left out of `accuracy`; an unfinished search counts as wrong.
select
    run_id, set_name, policy, verifier, strategy, budget, pick,
    any_value(is_main) as is_main,
    count(*) as num_searches,
    count(distinct problem_id) as num_problems,
    count(correct) as num_graded,
    count(*) filter (correct) as num_right,
    count(*) filter (correct) / nullif(count(correct), 0) as accuracy,
    count(*) filter (status = 'unfinished') as num_unfinished,
    count(*) filter (status = 'error') as num_errors,
    avg(generated_tokens) as generated_tokens,
    avg(scored_tokens) as scored_tokens,
    avg(prompt_tokens) as prompt_tokens,
    avg(cached_tokens) as cached_tokens
from decisions
group by run_id, set_name, policy, verifier, strategy, budget, pick
