"""Rollouts continue the tokens that were sampled, where these are known and the completer's own."""

from dataclasses import replace

from schemas.engines import MarkovConfig
from schemas.rows import Trajectory
from schemas.step_labels import MonteCarloConfig
from tests.tasks.step_labels.test_rollouts import RecordingEngine

WORLD = MarkovConfig(num_steps=4, p_right=0.8)
PLAIN = MonteCarloConfig(max_rollout_tokens=100, num_rollouts=2)


def with_ids(solution: Trajectory, vocabulary: str) -> Trajectory:
    """Two tokens a step, and an end of text."""
    steps = tuple(replace(step, num_tokens=2) for step in solution.steps)
    ids = (*range(100, 100 + 2 * len(steps)), 7)
    return replace(solution, steps=steps, token_ids=ids, vocabulary=vocabulary)


def test_a_prefix_is_its_sampled_ids_or_its_text_and_what_follows_it(make_trajectory, make_world):
    world = make_world(WORLD, 3)
    own, other, text = world.solutions(make_trajectory)
    recorder = RecordingEngine(world.engine)
    recorder.vocabulary = "own"
    solutions = [with_ids(own, "own"), with_ids(other, "of another model"), text]
    rows = world.roll_out(solutions, PLAIN, recorder)
    requests = {(r.prompt, r.prefix): r for r in recorder.requests}
    for solution in solutions:
        question = world.problems[solution.problem_id].question
        for num_steps in range(1, len(solution.steps)):
            prefix = "".join(step.text for step in solution.steps[:num_steps])
            request = requests[question, prefix]
            assert prefix + request.following == solution.text
            expected = None
            if solution.vocabulary == "own":
                expected = tuple(range(100, 100 + 2 * num_steps))
            assert request.prefix_ids == expected
    assert rows
    assert {row.vocabulary for row in rows} == {"own"}
    for row in rows:
        assert row.token_ids is not None
        assert len(row.token_ids) == row.generated_tokens
