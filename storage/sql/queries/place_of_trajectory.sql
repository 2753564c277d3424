-- One row, or none: the file that holds a trajectory of a run, and its row in it from 0.
select filename, file_row_number as row_number
from read_parquet(
    getvariable('stepmill_files_of_trajectories'),
    filename = true, file_row_number = true, hive_partitioning = false
)
where contains(filename, concat('/run_id=', $run_id, '/')) and trajectory_id = $trajectory_id
limit 1
