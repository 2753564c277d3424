-- One row per grader of a trajectory of a run: its newest verdict.
select grader, answer, correct
from grader_verdicts
where trajectory_id = $trajectory_id and run_id = $run_id
order by grader
