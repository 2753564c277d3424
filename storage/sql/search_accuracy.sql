-- One row per run x set x policy x verifier x strategy x budget x pick: how often the pick's answer
-- is right, and what the search cost per problem. Each search counts: a problem that a run searched
-- twice in the same way, with another seed, counts twice in `num_searches`. What could not be
-- graded, errors included, is left out of `accuracy`; an unfinished search is wrong.
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
