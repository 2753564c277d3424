"""Progress on a terminal that is a file: what is opened, rows, the time left."""

import re
import threading

import pytest

from flows.runs import progress
from flows.runs.progress import say_stage, stage_progress
from schemas.engines import MarkovConfig, VLLMConfig
from schemas.pool import PoolConfig
from tasks.engines.engine_set import EngineSet
from tasks.engines.local_pool import LocalPool


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(progress, "_EVERY_S", 0.005)
    monkeypatch.setattr(progress, "_LINE_EVERY_S", 0.0)


class Counted:
    """A measure that counts up to a number, and says when it was asked often enough."""

    def __init__(self, total: int) -> None:
        self.total, self.rows = total, 0
        self.asked = threading.Semaphore(0)

    def __call__(self) -> tuple[int, int, int]:
        self.asked.release()
        return self.rows, self.total, self.rows * 10

    def wait(self) -> None:
        for _ in range(4):  # a line is written after a measure, so the last but one is there
            self.asked.acquire(timeout=30)


def test_before_the_first_row_it_says_what_is_opened(capsys):
    measure = Counted(8)
    with stage_progress("sample train", measure) as clock:
        with clock.opening("policy world-policy"):
            measure.wait()
        measure.rows = 4
        measure.wait()
    lines = capsys.readouterr().err.splitlines()
    begun = lines.index("sample train: opening policy world-policy")
    assert "sample train: opening policy world-policy, since 0:00" in lines
    opened = lines.index("sample train: open after 0 s")
    assert not any("left" in line for line in lines[begun:opened])
    assert lines[-1].startswith("sample train: 4 of 8 rows, 40 tokens, ")
    assert lines[-1].endswith(", done")


def test_lines_of_a_log_say_the_time_left(capsys):
    measure = Counted(8)
    with stage_progress("label", measure):
        measure.rows = 4
        measure.wait()
    lines = capsys.readouterr().err.splitlines()
    # Half of the rows are made in a moment, so the rest takes a moment.
    assert any(
        re.fullmatch(r"label: 4 of 8 rows, 40 tokens, [\d,]+/s, 0:00 left", x) for x in lines
    )


def test_what_fails_to_open_is_stopped_and_not_open(capsys):
    with (
        pytest.raises(OSError, match="no weights"),
        stage_progress("s", Counted(1)) as clock,
        clock.opening("policy p"),
    ):
        raise OSError("no weights")
    err = capsys.readouterr().err
    assert ("stopped" in err, "open after" in err) == (True, False)


def test_a_stage_says_its_place_in_the_line(capsys):
    say_stage(2, 6, "step labels")
    assert capsys.readouterr().err == "stage 2 of 6: step labels\n"


def test_a_pool_names_the_models_that_it_opens(tmp_path):
    engines = EngineSet(policy=MarkovConfig(), verifier=VLLMConfig(model="/models/a/verifier-1"))
    pool = LocalPool(str(tmp_path), engines, PoolConfig())
    assert (pool.words, pool.is_open) == ("policy markov, verifier verifier-1", False)
