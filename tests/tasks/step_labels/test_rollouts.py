from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt

import pytest

from schemas.engines import (
    Generation,
    GenerationRequest,
    MarkovConfig,
    ScoringRequest,
    StepScoring,
)
from schemas.errors import EngineFailed
from schemas.rows import Step, Trajectory
from schemas.step_labels import MonteCarloConfig
from tasks.engines.base import Engine
from tasks.engines.markov_engine import p_right_answer
from tasks.evaluation.solutions.audits import audit_labels
from tasks.step_labels.bisection import bisect_first_error
from tasks.step_labels.labels import label_steps

FATAL = MarkovConfig(num_steps=5, p_right=0.8, p_recover=0.0)
PLAIN = MonteCarloConfig(max_rollout_tokens=100)


class RecordingEngine:
    """An engine that wraps another and keeps every request."""

    def __init__(self, engine: Engine) -> None:
        self.name, self.model_id = engine.name, engine.model_id
        self.vocabulary = engine.vocabulary
        self.requests: list[GenerationRequest] = []
        self._engine = engine

    async def generate(self, request: GenerationRequest) -> Generation:
        self.requests.append(request)
        return await self._engine.generate(request)

    async def score(self, request: ScoringRequest) -> StepScoring:
        return await self._engine.score(request)

    def encode_text(self, text: str) -> None:
        return None

    async def close(self) -> None:
        await self._engine.close()


def hard(labels):
    return {(label.trajectory_id, label.step_index): label.hard for label in labels}


def num_tokens(rollouts: Sequence[Trajectory]) -> int:
    return sum(row.generated_tokens for row in rollouts)


def test_rows_say_what_they_continue_and_what_they_cost(make_trajectory, make_world):
    world = make_world(FATAL, 2)
    solutions = world.solutions(make_trajectory)
    recorder = RecordingEngine(world.engine)
    rows = world.roll_out([replace(s, round=3) for s in solutions], PLAIN, recorder)
    assert len(rows) == 2 * 5 * 8
    assert len({row.trajectory_id for row in rows}) == len(rows)
    by_id = {solution.trajectory_id: solution for solution in solutions}
    for row in rows:
        parent = by_id[row.parent_id or ""]
        assert row.branch_step is not None
        prefix = "".join(step.text for step in parent.steps[: row.branch_step])
        gold = world.problems[row.problem_id].answer
        assert row.correct == (prefix + row.text).endswith(f"Answer: {gold}")
        assert (row.strategy, row.role, row.status, row.round) == (
            "rollout",
            "rollout",
            "finished",
            3,
        )
        assert row.generated_tokens == len(row.steps) == 6 - row.branch_step
    # A request's prompt and prefix are paid once, by its first rollout.
    assert [row.prompt_tokens for row in rows[:9]] == [3, 0, 0, 0, 0, 0, 0, 0, 4]
    assert len(recorder.requests) == 10


def test_soft_estimates_are_unbiased(make_trajectory, make_world):
    world = make_world(FATAL.with_fields(p_recover=0.2), 150)
    solutions = world.solutions(make_trajectory)
    labels = label_steps(solutions, world.roll_out(solutions, PLAIN), PLAIN)
    states = {s.trajectory_id: world.states(s) for s in solutions}
    error = variance = 0.0
    for label in labels:
        if label.evidence == "rollouts":
            is_right = states[label.trajectory_id][label.step_index]
            p = p_right_answer(label.step_index + 1, is_right, world.config)
            assert label.num_rollouts == 8
            error += label.num_correct - 8 * p
            variance += 8 * p * (1 - p)
    assert abs(error) < 4 * sqrt(variance)
    last = [label for label in labels if label.evidence == "answer"]
    assert [label.hard for label in last] == [s.correct for s in solutions]


def test_hard_labels_are_as_likely_as_the_closed_form_says(make_trajectory, make_world):
    world = make_world(FATAL.with_fields(p_right=0.5), 400)
    solutions = world.solutions(make_trajectory)
    labels = label_steps(solutions, world.roll_out(solutions, PLAIN), PLAIN)
    states = {s.trajectory_id: world.states(s) for s in solutions}
    of_right = [x for x in labels if x.step_index == 0 and states[x.trajectory_id][0]]
    of_wrong = [x for x in labels if x.step_index < 5 and not states[x.trajectory_id][x.step_index]]
    p = 1 - (1 - p_right_answer(1, True, world.config)) ** 8
    share = sum(label.hard is True for label in of_right) / len(of_right)
    assert abs(share - p) < 4 * sqrt(p * (1 - p) / len(of_right))
    assert not any(label.hard for label in of_wrong)


def test_stopping_at_the_first_hit_saves_tokens_and_no_label_changes(make_trajectory, make_world):
    world = make_world(FATAL.with_fields(p_recover=0.05), 60)
    solutions = world.solutions(make_trajectory)
    plain_rows = world.roll_out(solutions, PLAIN)
    plain = label_steps(solutions, plain_rows, PLAIN)
    texts = {row.trajectory_id: row.text for row in plain_rows}
    for wave_size in (1, 3):
        config = PLAIN.with_fields(stopping="first_hit", wave_size=wave_size)
        rows = world.roll_out(solutions, config)
        labels = label_steps(solutions, rows, config)
        assert hard(labels) == hard(plain)
        assert num_tokens(rows) < 0.6 * num_tokens(plain_rows)
        # They are the first of the same rollouts, so hindsight gives the same labels.
        assert all(texts[row.trajectory_id] == row.text for row in rows)
        assert label_steps(solutions, plain_rows, config) == labels


def test_confidence_stopping_saves_more_where_nothing_is_to_be_hit(make_trajectory, make_world):
    world = make_world(FATAL, 60)
    solutions = world.solutions(make_trajectory)
    first_hit = PLAIN.with_fields(stopping="first_hit")
    confidence = PLAIN.with_fields(stopping="confidence", confidence=0.95, audit_fraction=0)
    first_rows, rows = (world.roll_out(solutions, c) for c in (first_hit, confidence))
    assert num_tokens(rows) < 0.8 * num_tokens(first_rows)
    exact = hard(label_steps(solutions, first_rows, first_hit))
    early = hard(label_steps(solutions, rows, confidence))
    assert sum(exact[key] != early[key] for key in exact) <= 0.05 * len(exact)


def test_bisection_equals_linear_where_the_first_error_is_fatal(make_trajectory, make_world):
    world = make_world(MarkovConfig(num_steps=6, p_right=0.9), 80)
    solutions = world.solutions(make_trajectory)
    many = PLAIN.with_fields(num_rollouts=24)
    linear_rows = world.roll_out(solutions, many)
    linear = label_steps(solutions, linear_rows, many)
    assert list(hard(linear).values()) == [v for s in solutions for v in world.states(s)]
    for stopping in ("none", "first_hit"):
        config = many.with_fields(search="bisection", stopping=stopping, audit_fraction=0)
        rows = world.roll_out(solutions, config)
        labels = label_steps(solutions, rows, config)
        assert hard(labels) == hard(linear)
        assert num_tokens(rows) < 0.4 * num_tokens(linear_rows)
        assert label_steps(solutions, linear_rows, config) == labels


def test_the_audit_counts_the_errors_that_were_repaired(make_trajectory, make_world):
    # Most rollouts from a right state end right, few from a wrong one: with many of them and a
    # threshold of one half, labels are the states themselves, which this chain does repair.
    world = make_world(MarkovConfig(num_steps=4, p_right=0.95, p_recover=0.15), 100)
    solutions = world.solutions(make_trajectory)
    config = PLAIN.with_fields(
        num_rollouts=120, min_correct=60, search="bisection", audit_fraction=1
    )
    labels = label_steps(solutions, world.roll_out(solutions, config), config)
    audit = audit_labels(labels, config.method, config.without_shortcuts().method)
    num_disagreeing = num_repaired = 0
    for solution in solutions:
        states = world.states(solution)
        claims = _bisect_states(states)
        num_disagreeing += sum(c != s for c, s in zip(claims[:-1], states[:-1], strict=True))
        num_repaired += any(not a and b for a, b in pairwise(states))
    assert len(audit.trajectories) == 100
    assert audit.num_steps == 400
    assert len(audit.repaired) == num_repaired > 0
    assert audit.num_wrongly_right + audit.num_wrongly_wrong == num_disagreeing > 0


def _bisect_states(states: Sequence[bool]) -> list[bool | None]:
    """The conclusions of a bisection about known states."""
    search = bisect_first_error(len(states), states[-1])
    verdict = None
    while True:
        try:
            verdict = states[search.send(verdict) - 1]
        except StopIteration as end:
            return [end.value.verdict(index) for index in range(len(states))]


def test_a_sampled_solution_counts_as_a_fair_rollout_of_its_prefixes(make_trajectory, make_world):
    world = make_world(FATAL, 300)
    solutions = world.solutions(make_trajectory)
    config = PLAIN.with_fields(num_rollouts=4, reuse_solutions=True)
    rows = world.roll_out(solutions, config)
    assert len(rows) == 300 * 5 * 3
    labels = label_steps(solutions, rows, config)
    assert {label.method for label in labels} == {"monte_carlo[n=4,reuse]"}
    assert {label.num_rollouts for label in labels} == {0, 4}
    firsts = [label for label in labels if label.step_index == 0]
    values = [p_right_answer(1, world.states(solution)[0], world.config) for solution in solutions]
    error = sum(x.num_correct - 4 * p for x, p in zip(firsts, values, strict=True))
    assert abs(error) < 4 * sqrt(sum(4 * p * (1 - p) for p in values))


def test_right_solutions_need_no_rollouts_when_they_count(make_trajectory, make_world):
    world = make_world(FATAL, 40)
    solutions = world.solutions(make_trajectory)
    for search in ("linear", "bisection"):
        config = PLAIN.with_fields(
            stopping="first_hit", reuse_solutions=True, search=search, audit_fraction=0
        )
        rows = world.roll_out(solutions, config)
        wrong = {s.trajectory_id for s in solutions if not s.correct}
        assert {row.parent_id for row in rows} <= wrong
        assert max(row.sample_index for row in rows) == 6
        labels = label_steps(solutions, rows, config)
        assert all(label.hard for label in labels if label.trajectory_id not in wrong)


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": "another"},
        {"temperature": 0.7},
        {"top_p": 0.9},
        {"strategy": "beam"},
        {"correct": None},
        {"status": "truncated"},
    ],
)
def test_what_is_no_fair_draw_is_not_counted(make_trajectory, make_world, fields):
    world = make_world(FATAL, 2)
    solutions = [replace(s, **fields) for s in world.solutions(make_trajectory)]
    config = PLAIN.with_fields(reuse_solutions=True)
    assert len(world.roll_out(solutions, config)) == 2 * 5 * 8


@pytest.mark.parametrize("config", [PLAIN, PLAIN.with_fields(search="bisection", audit_fraction=0)])
def test_equal_prefixes_are_rolled_out_once(make_trajectory, make_world, config):
    world = make_world(FATAL, 12)
    solutions = world.solutions(make_trajectory)
    twins = [replace(s, trajectory_id=f"{s.trajectory_id}-twin") for s in solutions]
    alone, together = RecordingEngine(world.engine), RecordingEngine(world.engine)
    rows = world.roll_out(solutions, config, alone)
    rows_of_all = world.roll_out(solutions + twins, config, together)
    assert len(alone.requests) > 12
    assert Counter(together.requests) == Counter(alone.requests)
    assert [row.trajectory_id for row in rows_of_all] == [row.trajectory_id for row in rows]
    labels = hard(label_steps(solutions + twins, rows_of_all, config))
    for (trajectory_id, step_index), label in hard(label_steps(solutions, rows, config)).items():
        assert labels[trajectory_id, step_index] is label
        assert labels[f"{trajectory_id}-twin", step_index] is label


def test_labels_do_not_depend_on_the_order_of_solutions(make_trajectory, make_world):
    world = make_world(FATAL, 6, num_samples=4)
    solutions = world.solutions(make_trajectory)
    backwards = solutions[::-1]
    for config in (
        PLAIN,
        PLAIN.with_fields(stopping="confidence", audit_fraction=0.3, reuse_solutions=True),
        PLAIN.with_fields(search="bisection", stopping="first_hit", audit_fraction=0.3),
    ):
        forth = label_steps(solutions, world.roll_out(solutions, config), config)
        back = label_steps(backwards, world.roll_out(backwards, config), config)
        assert len(forth) == len(back)
        assert set(forth) == set(back)


def test_rollouts_cut_at_the_limit_have_no_verdict(make_trajectory, make_world):
    world = make_world(FATAL, 3)
    solutions = world.solutions(make_trajectory)
    config = PLAIN.with_fields(max_rollout_tokens=2)
    rows = world.roll_out(solutions, config)
    assert {(row.branch_step, row.status) for row in rows} == {
        (1, "truncated"),
        (2, "truncated"),
        (3, "truncated"),
        (4, "finished"),
        (5, "finished"),
    }
    assert all((row.correct is None) == (row.status == "truncated") for row in rows)
    labels = label_steps(solutions, rows, config)
    assert all((label.hard is None) == (label.step_index < 3) for label in labels)


def test_a_rejected_prefix_becomes_an_error_row_and_the_others_go_on(make_trajectory, make_world):
    world = make_world(FATAL, 2)
    solutions = world.solutions(make_trajectory)
    nonsense = (Step(text="Let me think.\n", num_tokens=1), *solutions[0].steps[1:])
    broken = replace(solutions[0], trajectory_id="broken", steps=nonsense)
    for stopping in ("none", "first_hit"):
        config = PLAIN.with_fields(stopping=stopping)
        rows = world.roll_out([broken, solutions[1]], config)
        errors = [row for row in rows if row.status == "error"]
        assert [row.parent_id for row in errors] == ["broken"] * 5
        assert all("Let me think" in (row.error or "") for row in errors)
        labels = label_steps([broken, solutions[1]], rows, config)
        assert [label.hard for label in labels[:5]] == [None] * 5
        assert None not in [label.hard for label in labels[6:]]


def test_a_dead_engine_ends_the_call(make_trajectory, make_world):
    class DyingEngine(RecordingEngine):
        async def generate(self, request: GenerationRequest) -> Generation:
            if len(self.requests) == 20:
                raise EngineFailed("gone")
            return await super().generate(request)

    world = make_world(FATAL, 10)
    solutions = world.solutions(make_trajectory)
    for config in (PLAIN, PLAIN.with_fields(search="bisection", stopping="first_hit")):
        with pytest.raises(EngineFailed, match="gone"):
            world.roll_out(solutions, config, DyingEngine(world.engine))


def test_solutions_without_inner_steps_need_no_rollouts(make_trajectory, make_world):
    world = make_world(FATAL, 1)
    (problem_id,) = world.problems
    answer = Step(text="Answer: 4", num_tokens=1)
    solutions = [
        make_trajectory("one", problem_id=problem_id, steps=(answer,)),
        make_trajectory("none", problem_id=problem_id, steps=(), status="error", correct=None),
    ]
    assert world.roll_out([], PLAIN) == []
    for config in (PLAIN, PLAIN.with_fields(search="bisection")):
        assert world.roll_out(solutions, config) == []


def test_a_problem_that_is_not_given_is_named(make_trajectory, make_world):
    world = make_world(FATAL, 1)
    with pytest.raises(ValueError, match="trajectory t0: its problem p0 is not among the 1"):
        world.roll_out([make_trajectory()], PLAIN)
