"""Figures of the critiques of a round."""

from datetime import UTC, datetime

from flows.loops.critiquing import Critiqued, critique_figures
from flows.loops.loop import Loop
from schemas.loops.critique_in_the_loop import CritiqueInTheLoopConfig
from schemas.rows import Critique


def test_what_could_not_be_judged_and_retries_do_not_count_against_a_critic(
    store, unit_of, make_trajectory
):
    written = Critique(
        critique_id="c0",
        trajectory_id="t0",
        problem_id="p0",
        critic="critic-0",
        told="nothing",
        sample_index=0,
        status="finished",
        text="1 wrong",
        steps=(),
        verdict=False,
        leaks=False,
        temperature=0.0,
        seed=0,
        generated_tokens=10,
        engine="test",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )

    def second(name, critique, correct, **fields):
        values = {"parent_id": "t0", "critique_id": critique, "generated_tokens": 100}
        return make_trajectory(name, correct=correct, **{**values, **fields})

    seconds = [
        second("right", "c0", True),
        second("cut", "c0", None, status="truncated", answer=None),
        second("ungraded", "c0", None, answer="5"),
        second("refused", "c0", None, status="error", answer=None),
        second("retry", None, True),
    ]
    critiques = store.commit(unit_of("critiques", stage="critiques"), [written])
    tries = store.commit(unit_of("trajectories", stage="refinements"), seconds)
    made = Critiqued(("unread",), (critiques.path,), (tries.path,))
    assert critique_figures(Loop(CritiqueInTheLoopConfig(), store, "run"), made) == {
        "num_critiques": 1,
        "num_judgements": 1,
        "num_faultless_critiques": 1,
        "num_refinements": 4,
        "num_right_refinements": 1,
        "refined_right_share": 0.5,
        "critiquing_tokens": 10 + 5 * 100,
    }
