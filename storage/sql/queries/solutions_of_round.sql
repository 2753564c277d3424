-- One row: counts of a policy's solutions of a round, over all splits; see the view `rounds`.
select
    sum(num_problems) as num_problems,
    sum(num_solved) as num_solved,
    sum(num_solutions) as num_solutions,
    sum(num_counted) as num_counted,
    sum(num_right) as num_right,
    sum(num_texts) as num_texts,
    sum(num_paths) as num_paths,
    sum(num_tokens) as num_tokens
from rounds
where run_id = $run_id and round = $round and policy = $policy
