-- One row per judgement of a trajectory of a run.
select *
from judgements
where trajectory_id = $trajectory_id and run_id = $run_id
order by grader, sample_index
