"""Drawn solutions as rows: those of a checkpoint are committed with it, once."""

import pytest

from schemas.engines import Completion, FinishReason, Generation
from schemas.units import Unit
from storage import connect
from tasks.graders import Grade
from tasks.graders.base import UNGRADED
from tasks.training.drawn_rows import DrawnRows
from tasks.training.overlong import less
from tasks.verifiers.credit import Credited

UNIT = Unit(run_id="run", stage="policy_training", name="policy-1", table="models")
STATE = {"row": 3, "problem_id": "p3", "prefix": "a\nb\n", "source_ids": ["t9"]}


def completion(pieces: list[str], reason: FinishReason) -> Completion:
    return Completion(
        text="".join(pieces),
        token_ids=tuple(range(len(pieces))),
        logprobs=(-0.5,) * len(pieces),
        finish_reason=reason,
        stop_string=None,
        token_texts=tuple(pieces),
    )


@pytest.fixture
def draw(store, make_job, tmp_path):
    drawn = DrawnRows(store.url, UNIT, make_job(tmp_path, "grpo", batch_size=8))

    def run(step: int, earned=(1.0, None)) -> DrawnRows:
        drawn.seconds += 1.5
        completions = (completion(["c\n", "Answer: ", "1"], "stop"), completion(["d"], "length"))
        drawn.add(
            STATE,
            Generation(completions=completions, prompt_tokens=4, cached_tokens=1),
            [Grade("1", True), Grade("2", False)],
            earned,
            [5, 1],
            step=step,
            place=(0, 0),
            seed=50,
            group_size=8,
            grader="exact",
            engine="test",
        )
        return drawn

    return run


def test_a_solution_says_where_it_began_and_what_it_earned(draw, store, tmp_path):
    checkpoint = tmp_path / "checkpoint-2"
    draw(1).save(checkpoint)
    draw(2).commit(checkpoint)
    path = "trajectories/run_id=run/stage=policy_training/policy-1.000002-0.parquet"
    whole, cut = store.read(path)
    assert (whole.parent_id, whole.branch_step, whole.problem_id) == ("t9", 2, "p3")
    assert (whole.status, whole.answer, whole.correct, whole.reward) == ("finished", "1", True, 1.0)
    assert (cut.status, cut.answer, cut.correct, cut.reward) == ("truncated", None, None, None)
    assert [step.text for step in whole.steps] == ["c\n", "Answer: 1"]
    assert (whole.seed, cut.seed, whole.prompt_tokens, cut.prompt_tokens) == (50, 51, 4, 0)
    assert (whole.generated_tokens, cut.generated_tokens) == (5, 1)
    assert whole.policy.startswith("world-policy-")
    assert whole.policy.endswith("+policy-1@1")
    assert (whole.training_step, whole.budget, whole.strategy) == (1, 8, "grpo")
    assert whole.group_id == cut.group_id


def test_redrawn_groups_of_one_state_are_groups_of_their_own(make_job, store, tmp_path):
    drawn = DrawnRows(store.url, UNIT, make_job(tmp_path, "rloo", batch_size=8))
    places = [(0, 0), (1, 3), (0, 1, 1), (0, 2, 1), (0, 2, 2)]
    for place in places:
        drawn.add(
            STATE,
            Generation(completions=(completion(["c"], "stop"),), prompt_tokens=4, cached_tokens=1),
            [Grade("1", True)],
            [[0.5, 0.25]],
            [1],
            step=2,
            place=place,
            seed=0,
            group_size=8,
            grader="exact",
            engine="test",
        )
    checkpoint = tmp_path / "checkpoint-3"
    drawn.save(checkpoint)
    drawn.commit(checkpoint)
    rows = store.read("trajectories/run_id=run/stage=policy_training/policy-1.000003-0.parquet")
    assert len({row.trajectory_id for row in rows}) == 5
    # The first two are parts of one group, drawn by two workers.
    first, second, *others = [row.group_id for row in rows]
    assert first == second
    assert len({first, *others}) == 4
    assert {(row.reward, row.strategy) for row in rows} == {(0.75, "rloo")}


def credited(*rewards: float) -> Credited:
    return Credited(
        rewards=rewards,
        total=sum(rewards),
        shares=tuple(1 / len(rewards) for _ in rewards),
        pieces=("x",) * len(rewards),
        reward="attention[beta=0.8]",
        reader="verifier-1",
        scored_tokens=9,
    )


def test_what_tokens_earned_is_committed_with_their_solutions_once(draw, store, tmp_path):
    first, second = tmp_path / "checkpoint-1", tmp_path / "checkpoint-2"
    draw(0, (credited(0.5, 0.0, 0.25), credited(-1.0))).save(first)
    resumed = draw(1, (credited(0.0, 2.0), None))
    resumed.commit(first)
    resumed.commit(first)
    resumed.save(second)
    resumed.commit(second)
    paths = store.files("token_rewards", run_id="run", stage="policy_training")
    rows = [row for path in paths for row in store.read(path)]
    assert [row.rewards for row in rows] == [(0.5, 0.0, 0.25), (-1.0,), (0.0, 2.0)]
    solutions = {
        row.trajectory_id: row
        for path in store.files("trajectories", run_id="run", stage="policy_training")
        for row in store.read(path)
    }
    for row in rows:
        assert solutions[row.trajectory_id].reward == row.total
        assert (row.reward, row.verifier) == ("attention[beta=0.8]", "verifier-1")
    costs = "select strategy, model, scored_tokens, engine_s from cost order by strategy"
    assert connect(store.url).sql(costs).fetchall()[1:] == [
        ("token_rewards", "verifier-1", 27, 0.0)
    ]


def test_rewards_of_whole_solutions_make_no_rows_of_tokens(draw, store, tmp_path):
    draw(0, (1.0, [0.5, 0.5])).save(tmp_path / "checkpoint-1")
    draw(1).commit(tmp_path / "checkpoint-1")
    assert store.files("token_rewards", run_id="run", stage="policy_training") == []


def test_a_penalty_is_the_last_tokens(draw):
    earned = less(credited(0.5, 0.25), 1.0)
    assert isinstance(earned, Credited)
    assert (earned.rewards, earned.total) == ((0.5, -0.75), -0.25)
    assert less(credited(0.5), 0.0) == credited(0.5)


def test_a_critique_says_what_it_is_about_and_what_it_earned(make_job, store, tmp_path):
    drawn = DrawnRows(store.url, UNIT, make_job(tmp_path, "grpo", batch_size=8))
    state = {**STATE, "prefix": "", "question": "1 + 1?", "attempt": ["3"]}
    written = completion(["3 wrong\n", "Review: wrong"], "stop")
    drawn.add(
        state,
        Generation(completions=(written,), prompt_tokens=4, cached_tokens=1),
        [UNGRADED],
        [0.75],
        [2],
        step=0,
        place=(0, 0),
        seed=50,
        group_size=8,
        grader="exact",
        engine="test",
    )
    drawn.save(tmp_path / "checkpoint-1")
    drawn.commit(tmp_path / "checkpoint-1")
    (row,) = store.read("trajectories/run_id=run/stage=policy_training/policy-1.000001-0.parquet")
    assert (row.role, row.parent_id, row.branch_step) == ("critic", "t9", None)
    assert (row.answer, row.correct, row.reward) == (None, None, 0.75)


def test_rows_of_a_checkpoint_are_committed_once_whenever_training_was_killed(
    draw, store, tmp_path
):
    first, second = tmp_path / "checkpoint-1", tmp_path / "checkpoint-2"
    draw(0).save(first)
    # Killed before the commit: the resumed training finds the rows in its checkpoint.
    resumed = draw(1)
    resumed.commit(first)
    resumed.commit(first)
    resumed.save(second)
    resumed.commit(second)
    paths = store.files("trajectories", run_id="run", stage="policy_training")
    steps = [[row.training_step for row in store.read(path)] for path in paths]
    assert steps == [[0, 0], [1, 1]]
    ids = [row.trajectory_id for path in paths for row in store.read(path)]
    assert len(set(ids)) == 4


def test_the_time_of_drawing_is_the_engine_time_of_the_rows(draw, store, tmp_path):
    draw(0)
    draw(1).save(tmp_path / "checkpoint-2")
    resumed = draw(2)
    resumed.commit(tmp_path / "checkpoint-2")
    spent = "select strategy, engine_s from cost"
    assert connect(store.url).sql(spent).fetchall() == [("grpo", 3.0)]
