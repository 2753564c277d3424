import os
import signal

import pytest

from tasks.training.distributed import run_training


def square_of_job(job, report):
    report({"step": 1})
    report({"step": 2})
    return {"square": job["x"] ** 2, "is_distributed": "WORLD_SIZE" in os.environ}


def fail_on_last_rank(job, report):
    import torch

    rank = torch.distributed.get_rank()
    if rank == job:
        raise KeyError(f"rank {rank} has no data")
    torch.distributed.barrier()
    return rank


def nothing(job, report):
    return None


def test_no_workers_runs_in_this_process(tmp_path):
    reports = []
    result = run_training(
        square_of_job, {"x": 3}, num_workers=0, work_dir=tmp_path, on_progress=reports.append
    )
    assert result["square"] == 9
    assert reports == [{"step": 1}, {"step": 2}]
    assert run_training(square_of_job, {"x": 2}, num_workers=0, work_dir=tmp_path)["square"] == 4


def test_a_training_function_must_return_something(tmp_path):
    with pytest.raises(ValueError, match="expected the first worker to return a result"):
        run_training(nothing, None, num_workers=0, work_dir=tmp_path)


@pytest.mark.slow
@pytest.mark.ray
def test_one_worker_returns_its_value_and_its_reports(local_ray, tmp_path):
    reports = []
    before = signal.getsignal(signal.SIGINT)
    result = run_training(
        square_of_job, {"x": 3}, num_workers=1, work_dir=tmp_path, on_progress=reports.append
    )
    assert result == {"square": 9, "is_distributed": False}
    assert reports == [{"step": 1}, {"step": 2}]
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
@pytest.mark.ray
def test_an_error_on_any_worker_ends_all_of_them(local_ray, tmp_path):
    with pytest.raises(KeyError, match="rank 1 has no data"):
        run_training(fail_on_last_rank, 1, num_workers=2, work_dir=tmp_path, cpus_per_worker=0.5)
