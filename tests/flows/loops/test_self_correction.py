"""What two players are charged for their answers."""

from datetime import UTC, datetime

from flows.loops.self_correction import charge_attempts
from schemas.rows import Critique


def make_critique(critique_id, solution):
    return Critique(
        critique_id=critique_id,
        trajectory_id=solution,
        problem_id="p0",
        critic="critic-0",
        told="nothing",
        sample_index=0,
        status="finished",
        text="1 ok",
        steps=(),
        leaks=False,
        temperature=0.0,
        seed=0,
        generated_tokens=10,
        engine="test",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


def test_an_answer_is_charged_for_all_that_was_written_for_it(make_trajectory):
    def second(name, critique, tokens, **fields):
        return make_trajectory(
            name, parent_id="t0", critique_id=critique, generated_tokens=tokens, **fields
        )

    solutions = [
        make_trajectory("t0", generated_tokens=1, sample_index=3, answer="5"),
        make_trajectory("t1", generated_tokens=2, answer="7"),
    ]
    critiques = [make_critique("c0", "t0"), make_critique("c1", "t0")]
    seconds = [
        second("a0", "c0", 0, status="error", answer=None),
        second("a1", "c0", 100, answer="3"),
        second("a2", "c1", 1000, answer="4"),
        second("retry", None, 10_000, answer="6"),  # not written with the critic
    ]
    charged, alone = charge_attempts(solutions, critiques, seconds)
    assert (charged.trajectory_id, charged.sample_index, charged.answer) == ("t0", 3, "3")
    assert charged.generated_tokens == 1 + 2 * 10 + 100 + 1000
    assert alone == solutions[1]
