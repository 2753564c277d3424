"""Turns of self-talk, written by hand."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from schemas.critique_formats import CritiqueFormatConfig, LinesCritiqueConfig
from schemas.rows import Critique, Step, Trajectory
from tasks.critics.reading import read_critique
from tasks.critiques.chains import Turn

MakeTurn = Callable[..., Turn]


@pytest.fixture
def make_turn(make_trajectory: Callable[..., Trajectory]) -> MakeTurn:
    """A solution with its critique; a revision where it follows a critique."""

    def make(
        name: str,
        text: str,
        critique: str | None,
        *,
        after: Turn | None = None,
        form: CritiqueFormatConfig | None = None,
        **fields: object,
    ) -> Turn:
        steps = tuple(Step(text=t, num_tokens=1) for t in text.splitlines(keepends=True))
        parent = {}
        if after is not None:
            assert after.critique is not None
            parent = {
                "parent_id": after.solution.trajectory_id,
                "critique_id": after.critique.critique_id,
                "role": "revision",
            }
        solution = make_trajectory(
            name,
            steps=steps,
            answer=text.rpartition(": ")[2],
            generated_tokens=10,
            **{**parent, **fields},
        )
        if critique is None:
            return Turn(solution, None)
        read = read_critique(critique, len(steps), form or LinesCritiqueConfig())
        return Turn(
            solution,
            Critique(
                critique_id=f"c-{name}",
                trajectory_id=name,
                problem_id="p0",
                critic="critic-0",
                told="nothing",
                sample_index=0,
                status="finished",
                fault=read.fault,
                text=critique,
                steps=read.steps,
                first_error=read.first_error,
                verdict=read.verdict,
                leaks=False,
                temperature=0.0,
                seed=0,
                generated_tokens=5,
                engine="test",
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
            ),
        )

    return make
