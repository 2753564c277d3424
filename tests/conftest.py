"""Fixtures that several folders of tests share."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

# Before anything imports torch: its threads fight over the cores of a busy machine.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from schemas.rows import Problem, Step, Trajectory
from schemas.units import Unit
from storage import Store

PROJECT = Path(__file__).resolve().parents[1]
_LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """GSM8K and MATH-500 as JSONL, where this checkout has them beside it."""
    folder = PROJECT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("GSM8K and MATH-500 files are not beside this checkout")
    return folder


@pytest.fixture
def make_problem() -> Callable[..., Problem]:
    def make(problem_id: str = "p0", **fields: object) -> Problem:
        values = {
            "source": "test",
            "split": "dev",
            "question": f"{problem_id}?",
            "answer": "4",
            "level": 1,
            "subject": "sums",
        }
        return Problem(problem_id=problem_id, **{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture
def make_trajectory() -> Callable[..., Trajectory]:
    def make(trajectory_id: str = "t0", **fields: object) -> Trajectory:
        values = {
            "problem_id": "p0",
            "policy": "policy-0",
            "strategy": "sample",
            "sample_index": 0,
            "status": "finished",
            "steps": (
                Step(text="2 + 2 = 4\n", num_tokens=6, logprob=-0.5),
                Step(text="Answer: 4", num_tokens=3, logprob=-0.25),
            ),
            "answer": "4",
            "correct": True,
            "grader": "exact",
            "temperature": 1.0,
            "top_p": 1.0,
            "seed": 1,
            "prompt_tokens": 5,
            "cached_tokens": 2,
            "generated_tokens": 9,
            "engine": "test",
            "created_at": _LONG_AGO,
        }
        return Trajectory(trajectory_id=trajectory_id, **{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture
def unit_of() -> Callable[..., Unit]:
    def make(table: str, name: str = "u0", **fields: object) -> Unit:
        values = {"run_id": "run", "stage": "sampling"}
        return Unit(table=table, name=name, **{**values, **fields})  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A real Prefect server on a database of its own."""
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("prefect"))
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        yield


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """A real Ray on this machine."""
    from tasks.engines.pool import start_ray, stop_ray

    start_ray()
    yield
    stop_ray()
