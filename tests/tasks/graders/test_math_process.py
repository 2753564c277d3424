import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tasks.graders.math_process import Comparison, MathPool

PROJECT = Path(__file__).parents[3]
_UNTIL_WORKING_S = 0.2


@pytest.fixture
def pool():
    pool = MathPool(num_processes=1, timeout_s=1.5, memory_mb=1024)
    yield pool
    pool.close()


def test_one_answer_is_parsed_and_two_are_compared(pool):
    assert pool.ask("x+1") == Comparison(False, (True,))
    assert pool.ask(r"\frac{1}{") == Comparison(False, (False,))
    assert pool.ask("x+1", "1+x") == Comparison(True, (True, True))
    assert pool.ask("x+1", r"\frac{1}{") == Comparison(False, (True, False))


def test_time_limit_costs_a_child_and_not_the_supervisor(pool):
    assert pool.ask("9!!!!", "x+1") == Comparison(None, (True, True))
    (supervisor,) = pool.process_ids
    assert pool.ask("9!!!!", "x+2") == Comparison(None, (True, True))
    assert pool.process_ids == [supervisor]
    assert pool.ask("x+1", "1+x").equal is True


def test_memory_of_the_answering_process_is_limited(pool):
    pool.ask("x+1", "1+x")
    limits = Path(f"/proc/{_child(pool.process_ids[0])}/limits").read_text()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max address space")]
    assert line.split()[3:5] == [str(1024 * 2**20)] * 2


def test_child_killed_in_the_middle_is_replaced(pool):
    pool.ask("x+1", "1+x")
    (supervisor,) = pool.process_ids
    child = _child(supervisor)
    with ThreadPoolExecutor(1) as threads:
        verdict = threads.submit(pool.ask, "9!!!!", "x+1")
        _wait_until_working(child)
        os.kill(child, signal.SIGKILL)
        assert verdict.result() == Comparison(None, (True, True))  # retried; hit the limit
    assert pool.process_ids == [supervisor]
    assert pool.ask("x+1", "1+x").equal is True


def test_processes_killed_in_the_middle_are_started_again(pool):
    pool.ask("x+1", "1+x")
    (supervisor,) = pool.process_ids
    child = _child(supervisor)
    with ThreadPoolExecutor(1) as threads:
        verdict = threads.submit(pool.ask, "9!!!!", "x+1")
        _wait_until_working(child)
        os.killpg(supervisor, signal.SIGKILL)
        assert verdict.result() == Comparison(None, (True, True))
    assert pool.process_ids != [supervisor]
    assert pool.ask("x+1", "1+x").equal is True


def test_processes_killed_while_idle_are_started_again(pool):
    pool.ask("x+1", "1+x")
    os.killpg(pool.process_ids[0], signal.SIGKILL)
    assert pool.ask("x+1", "1+x").equal is True


def test_close_ends_the_processes_and_a_later_call_starts_them_again(pool):
    pool.ask("x+1", "1+x")
    (supervisor,) = pool.process_ids
    pool.close()
    assert pool.process_ids == []
    assert not _is_running(supervisor)
    assert pool.ask("x+1", "1+x").equal is True


def test_processes_end_when_their_user_is_killed():
    source = """
import os, signal
from tasks.graders.math_process import MathPool
pool = MathPool(num_processes=1, timeout_s=5, memory_mb=1024)
pool.ask("x+1", "1+x")
print(pool.process_ids[0], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False, cwd=PROJECT
    )
    supervisor = int(done.stdout)
    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while _is_running(supervisor) and time.monotonic() < deadline:
        os.sched_yield()
    assert not _is_running(supervisor)


def test_start_failure_is_reported(pool, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match="Math-Verify process to start"):
        pool.ask("x+1", "1+x")


def _child(pid: int) -> int:
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


def _wait_until_working(pid: int) -> None:
    ticks_per_s = os.sysconf("SC_CLK_TCK")
    before = _ticks(pid)
    while (_ticks(pid) - before) / ticks_per_s < _UNTIL_WORKING_S:
        os.sched_yield()


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11])


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
