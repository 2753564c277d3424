-- One row per graded answer of a run's searches, with the level of its problem and the tokens that
-- were written and verified for it.
select
    d.set_name, d.strategy, d.budget, d.pick, d.is_main, d.problem_id, d.correct, p.level,
    d.generated_tokens + d.scored_tokens as tokens
from decisions as d
left join problem_list as p on d.run_id = p.run_id and d.problem_id = p.problem_id
where d.run_id = $run_id and d.correct is not null
order by all
