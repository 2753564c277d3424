"""Units of critiques over stored problems and solutions."""

import asyncio
from collections.abc import Callable, Sequence

import pytest

from schemas.critiques import CritiquesJob
from schemas.engines import MarkovConfig
from schemas.graders import ExactGraderConfig
from schemas.rows import Critique, Trajectory
from storage import Store
from tasks.critiques.critique import critique_solutions
from tasks.critiques.refine import refine_solutions
from tasks.engines.base import Engine
from tasks.engines.host import Counters, UnitContext


@pytest.fixture
def make_job() -> Callable[..., CritiquesJob]:
    def make(**fields: object) -> CritiquesJob:
        values = {
            "policy": MarkovConfig(num_steps=1, p_right=0.5),
            "grader": ExactGraderConfig(),
        }
        return CritiquesJob.model_validate({**values, **fields})

    return make


@pytest.fixture
def write_critiques(store: Store, unit_of) -> Callable[..., list[Critique]]:
    """The critiques of solutions by a critic that needs no engine, or by this one."""

    def write(
        job: CritiquesJob,
        problems: Sequence[object],
        solutions: Sequence[Trajectory],
        *further: str,
        engine: Engine | None = None,
    ) -> list[Critique]:
        files = [
            store.commit(unit_of("trajectories", "eval.00000"), solutions).path,
            store.commit(unit_of("problems", "eval", stage="problems"), problems).path,
            *further,
        ]
        unit = unit_of("critiques", "eval.00000-0", stage="critiques", inputs=tuple(files))
        context = UnitContext(store, {} if engine is None else {"policy": engine}, Counters())
        return asyncio.run(critique_solutions(unit, job, context))

    return write


@pytest.fixture
def refine(store: Store, unit_of) -> Callable[..., list[Trajectory]]:
    """The second attempts that follow critiques."""

    def refine(
        job: CritiquesJob,
        problems: Sequence[object],
        solutions: Sequence[Trajectory],
        critiques: Sequence[Critique],
        engine: Engine,
    ) -> list[Trajectory]:
        files = [
            store.commit(unit_of("critiques", "eval.00000-1", stage="critiques"), critiques).path,
            store.commit(unit_of("trajectories", "eval.00000"), solutions).path,
            store.commit(unit_of("problems", "eval", stage="problems"), problems).path,
        ]
        unit = unit_of("trajectories", "eval.0-1-2", stage="refinements", inputs=tuple(files))
        context = UnitContext(store, {"policy": engine}, Counters())
        return asyncio.run(refine_solutions(unit, job, context))

    return refine
