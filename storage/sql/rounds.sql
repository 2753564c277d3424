-- One row per run x round x policy x split: what a loop sampled from a policy in a round, and how
-- varied the right solutions are. `num_solved` counts problems with a right solution, `num_texts`
-- the distinct right solutions of all problems, `num_paths` those that still differ when reduced to
-- numbers, operators and line ends. `num_counted` are the solutions that are right or not, by the
-- macro `outcome`; right shares are of them. The newest verdicts count. `num_tokens` are those of
-- steps, without what programs printed.
with solutions as (
    select
        s.run_id, s.round, s.policy, p.split, s.problem_id, s.correct,
        outcome(s.status, s.answer, s.correct) as is_right,
        list_aggregate(list_transform(s.steps, lambda step: step.text), 'string_agg', '') as text,
        list_sum(list_transform(s.steps, lambda step: step.num_tokens))
        - coalesce(s.tool_tokens, 0) as num_tokens
    from graded as s
    left join problem_list as p on s.run_id = p.run_id and s.problem_id = p.problem_id
    where
        s.round is not null
        and s.stage in ('sampling', 'imports')
        and s.role is null
        and s.parent_id is null
        and s.status in ('finished', 'truncated')
),
per_problem as (
    select
        run_id, round, policy, split, problem_id,
        count(*) as num_solutions,
        count(is_right) as num_counted,
        count(*) filter (correct) as num_right,
        count(distinct text) filter (correct) as num_texts,
        count(distinct regexp_replace(text, '[^0-9+*/=().\n-]', '', 'g'))
            filter (correct) as num_paths,
        sum(num_tokens) as num_tokens
    from solutions
    group by all
)
select
    run_id, round, policy, split,
    count(*) as num_problems,
    count(*) filter (num_right > 0) as num_solved,
    sum(num_solutions)::bigint as num_solutions,
    sum(num_counted)::bigint as num_counted,
    sum(num_right)::bigint as num_right,
    sum(num_texts)::bigint as num_texts,
    sum(num_paths)::bigint as num_paths,
    sum(num_tokens)::bigint as num_tokens
from per_problem
group by all
