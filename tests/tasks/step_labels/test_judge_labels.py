"""Labels by a judge's critiques, by hand and from units of a store."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas.engines import MarkovConfig, OpenAIConfig, ServerConfig
from schemas.reductions import VerifierLabels, suitable_reduction
from schemas.rows import CRITIQUES, PROBLEMS, TRAJECTORIES, Critique, Step
from schemas.rows.critiques import CritiqueStatus
from schemas.step_labels import ConsensusConfig, JudgeConfig, MonteCarloConfig, StepLabelsJob
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.engines.markov_engine import check_walk
from tasks.step_labels.consensus import agreed_labels, first_error
from tasks.step_labels.judge_labels import judge_unit, label_by_judge, majority
from tasks.step_labels.units import label_unit

T, F, N = True, False, None
SEVERAL = JudgeConfig(num_judgements=3, temperature=0.7)


def steps_of(letters):
    return tuple(Step(text=f"{letter}\n", num_tokens=1) for letter in letters)


def critique_of(
    trajectory_id, first_error, *, index=0, fault=None, status: CritiqueStatus = "finished"
):
    return Critique(
        critique_id=f"c{trajectory_id}{index}",
        trajectory_id=trajectory_id,
        problem_id="p0",
        critic="judge-1",
        told="nothing",
        sample_index=index,
        status=status,
        fault=fault,
        text="",
        steps=(),
        first_error=first_error,
        verdict=first_error is None,
        leaks=False,
        temperature=0.7,
        seed=1,
        engine="vllm",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ([], (F, N)),
        ([2], (T, 2)),
        ([None], (T, N)),
        ([1, 1, None], (T, 1)),
        ([None, 1, None], (T, N)),
        ([1, 2], (F, 1)),
        ([1, 1, 2, None], (F, 1)),
        ([0, 0, 0, 1, 2], (T, 0)),
    ],
)
def test_more_than_half_must_find_the_same_first_error(votes, expected):
    is_agreed, first_error = majority(votes)
    assert is_agreed is expected[0]
    if is_agreed:
        assert first_error == expected[1]


@pytest.mark.parametrize(
    ("found", "hard", "soft"),
    [
        ([1, 1, None], [T, F, F], [1.0, 1 / 3, 1 / 3]),
        ([None, None, 2], [T, T, T], [1.0, 1.0, 2 / 3]),
        ([0, 1, 2], [N, N, N], [N, N, N]),
        ([0, 0, 0], [F, F, F], [0.0, 0.0, 0.0]),
    ],
)
def test_steps_from_the_first_error_on_are_wrong(make_trajectory, found, hard, soft):
    trajectory = make_trajectory("t0", steps=steps_of("abc"))
    critiques = [critique_of("t0", each, index=i) for i, each in enumerate(found)]
    labels = label_by_judge([trajectory], critiques, SEVERAL)
    assert [label.hard for label in labels] == hard
    assert [label.soft for label in labels] == pytest.approx(soft)
    assert {(label.method, label.completer, label.evidence) for label in labels} == {
        ("judge[n=3]", "judge-1", "judge")
    }


def test_critiques_that_cannot_be_read_have_no_vote(make_trajectory):
    trajectories = [make_trajectory(f"t{i}", steps=steps_of("ab")) for i in range(3)]
    critiques = [
        critique_of("t0", 0, fault="it has no verdict"),
        critique_of("t0", 1, index=1),
        critique_of("t1", None, status="truncated"),
    ]
    labels = label_by_judge(trajectories, critiques, SEVERAL)
    assert [label.hard for label in labels] == [T, F, N, N, N, N]


def test_a_consensus_keeps_solutions_in_which_both_find_the_same_first_error(make_trajectory):
    config = ConsensusConfig(first=MonteCarloConfig(), second=JudgeConfig())
    trajectories = [make_trajectory(f"t{i}", steps=steps_of("abc")) for i in range(4)]
    critiques = [critique_of(f"t{i}", error) for i, error in enumerate([1, None, 0])]
    second = label_by_judge(trajectories, critiques, JudgeConfig(), config.second_method)
    first = [
        label
        for trajectory, hard in zip(
            trajectories, ([T, F, F], [T, T, T], [T, F, F], [T, T, T]), strict=True
        )
        for label in _by_rollouts(trajectory, hard, config.first.method)
    ]
    kept = agreed_labels(first, second, config)
    assert {label.method for label in kept} == {"consensus[monte_carlo[n=8],judge[n=1]]"}
    assert [(label.trajectory_id, label.hard) for label in kept] == [
        *(("t0", hard) for hard in (T, F, F)),
        *(("t1", hard) for hard in (T, T, T)),
    ]


def _by_rollouts(trajectory, hard, method):
    judged = label_by_judge([trajectory], [critique_of(trajectory.trajectory_id, None)], SEVERAL)
    return [
        type(label)(
            trajectory_id=label.trajectory_id,
            step_index=label.step_index,
            method=method,
            completer="policy-0",
            evidence="rollouts",
            hard=each,
        )
        for label, each in zip(judged, hard, strict=True)
    ]


def test_methods_say_how_a_judge_was_asked():
    assert JudgeConfig().method == "judge[n=1]"
    assert JudgeConfig(told="answer").method == "judge[n=1,answer]"
    with pytest.raises(ValueError, match="num_judgements: expected 1 at temperature 0"):
        JudgeConfig(num_judgements=3)
    with pytest.raises(ValueError, match="num_judgements: expected 1 at temperature 0"):
        JudgeConfig(num_judgements=3, from_model=("top_p",))
    assert JudgeConfig(num_judgements=3, from_model=("temperature",)).num_judgements == 3
    assert suitable_reduction(VerifierLabels("judge[n=3]", "hard")) == "min"


def test_an_exact_judge_finds_the_checkers_first_errors(
    store, unit_of, make_trajectory, make_world, review_server
):
    world = make_world(MarkovConfig(num_steps=4, p_right=0.7), 12)
    solutions = world.solutions(make_trajectory)
    problems = unit_of(PROBLEMS.name, name="train", stage="problems")
    sampled = unit_of(TRAJECTORIES.name, name="train.00000")
    store.commit(problems, list(world.problems.values()))
    store.commit(sampled, solutions)
    judge = OpenAIConfig(
        model="acme/critic",
        api="chat",
        server=ServerConfig(base_url=review_server.url, kind="other"),
    )
    labels = JudgeConfig(engine=judge, max_tokens=100)
    job = StepLabelsJob(policy=world.config, labels=labels)
    unit = unit_of(
        CRITIQUES.name,
        name="train.00000-000",
        stage="step_labels",
        inputs=(sampled.path, problems.path),
    )

    async def run():
        host = Host(store.url, EngineSet(judge=judge))
        try:
            await host.run(unit, judge_unit, job)
        finally:
            await host.close()

    asyncio.run(run())
    label = unit_of("step_labels", name=unit.name, stage="step_labels")
    label = replace(label, inputs=(*unit.inputs, unit.path))
    found = label_unit(label, job, store, None)
    assert {row.completer for row in found} == {"openai--acme--critic"}
    assert len(found) == sum(len(each.steps) for each in solutions)
    num_wrong = 0
    for solution in solutions:
        question = world.problems[solution.problem_id].question
        truth = check_walk(question, [step.text for step in solution.steps])
        hard = [row.hard for row in found if row.trajectory_id == solution.trajectory_id]
        assert first_error(hard) == first_error(truth)
        num_wrong += not all(truth)
    assert 0 < num_wrong < len(solutions)
