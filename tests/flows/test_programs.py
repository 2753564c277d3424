"""The line over programs: a policy of known chances, whose programs are run in the sandbox."""

import asyncio
from collections import Counter
from math import comb

import pytest

from schemas.dataset_export import DatasetExportJob
from schemas.engines import LinesConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.graders import BehaviourGraderConfig, ProgramGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.regrading import RegradingJob
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import MonteCarloConfig
from storage import Store, connect, query
from tasks.engines.lines_engine import WRONG_LINES, LinesEngine, lines_problems
from tasks.graders import make_grader
from tasks.prompts.formats import make_prompt_format
from tasks.sandbox import sandbox_fault
from tasks.step_labels.labels import label_steps
from tasks.step_labels.rollouts import roll_out_trajectories
from tests.flows.sampled import text_of, write_sampled

pytestmark = pytest.mark.skipif(sandbox_fault() is not None, reason=str(sandbox_fault()))
POLICY = LinesConfig(num_lines=3, p_right=0.7)
NUM_SAMPLES = 8
JOB = SamplingJob(
    problems=WorldProblemsConfig(),
    set_name="train",
    policy=POLICY,
    grader=ProgramGraderConfig(timeout_s=2),
    sampling=SamplingConfig(num_samples=NUM_SAMPLES, max_tokens=10),
)
PROBLEMS_HERE = lines_problems(4, POLICY)
ENGINE = LinesEngine(POLICY)
FORMAT = make_prompt_format(JOB.prompt, POLICY)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store with eight programs for each of four problems, and their rows."""
    store = Store(tmp_path_factory.mktemp("programs") / "store")
    rows = write_sampled(store, JOB, PROBLEMS_HERE, ENGINE, make_grader(JOB.grader))
    return store, rows


def is_right(text):
    return not any(line.rstrip() in text for line in WRONG_LINES)


def test_a_program_is_right_exactly_when_all_its_lines_are(written):
    _, rows = written
    assert len(rows) == len(PROBLEMS_HERE) * NUM_SAMPLES
    for row in rows:
        assert len(row.steps) == POLICY.num_lines + 2
        assert row.correct is is_right(text_of(row))
        assert row.check_result.num_passed == 2 * row.correct
    assert 0 < sum(row.correct for row in rows) < len(rows)


def test_labels_of_lines_are_the_chance_to_pass(written):
    _, rows = written
    chosen = [*rows[:3], next(row for row in rows if row.correct)]
    chosen = list({row.trajectory_id: row for row in chosen}.values())
    config = MonteCarloConfig(num_rollouts=4, max_rollout_tokens=10, audit_fraction=0)
    rollouts = asyncio.run(
        roll_out_trajectories(
            {problem.problem_id: problem for problem in PROBLEMS_HERE},
            chosen,
            config,
            engine=ENGINE,
            grader=make_grader(JOB.grader),
            prompt_format=FORMAT,
            seed=7,
            scope="run",
        )
    )
    labels = label_steps(chosen, rollouts, config)
    texts = {row.trajectory_id: [step.text for step in row.steps] for row in chosen}
    assert len(labels) == len(chosen) * (POLICY.num_lines + 2)
    sure = 0
    for label in labels:
        so_far = texts[label.trajectory_id][: label.step_index + 1]
        if not is_right("".join(so_far)):
            assert label.hard is False
            sure += 1
        elif len(so_far) > POLICY.num_lines:
            assert label.hard is True
            sure += 1
    assert sure > len(chosen)


def test_pass_at_k_and_its_law_are_measured_and_votes_are_not(written, prefect_server):
    from flows.evaluation import evaluate

    store, rows = written
    config = EvaluationConfig(budgets=(1, 2, 4, 8), num_bootstrap=50, coverage_law=True)
    job = EvaluationJob(policy=POLICY, grader=JOB.grader, evaluation=config, set_name="train")
    evaluate(job, store.url, "run")
    statement = "select metric, strategy, budget, value from metrics"
    found = query(connect(store.root), statement).fetchall()
    figures = {(metric, strategy, k): value for metric, strategy, k, value in found}
    counts = [
        sum(row.correct for row in rows if row.problem_id == problem.problem_id)
        for problem in PROBLEMS_HERE
    ]
    for k in (1, 2, 4, 8):
        chances = [1 - comb(NUM_SAMPLES - c, k) / comb(NUM_SAMPLES, k) for c in counts]
        assert figures["coverage", "pass", k] == pytest.approx(sum(chances) / len(chances))
    assert any(metric == "coverage_b" for metric, _, _ in figures)
    names = {strategy for _, strategy, _ in figures}
    assert not any("majority" in name or "weighted" in name for name in names)


def votes_of(rows):
    """The number of votes for each of the things that the programs do, and that for right ones.

    After its last wrong line a program counts up from 0.
    """
    votes = Counter()
    for row in rows:
        lines = [step.text for step in row.steps[1:-1]]
        wrong = [place for place, line in enumerate(lines) if line in WRONG_LINES]
        votes["right" if not wrong else len(lines) - 1 - wrong[-1]] += 1
    return votes, votes["right"]


def test_votes_by_behaviour_are_for_what_the_programs_do(written, prefect_server):
    from flows.evaluation import evaluate
    from flows.regrading import regrade

    store, rows = written
    grader = BehaviourGraderConfig(timeout_s=2)
    changes = regrade(RegradingJob(set_name="train", grader=grader), store.url, "run")
    assert {change.before is change.after for change in changes} == {True}
    config = EvaluationConfig(budgets=(1, NUM_SAMPLES), num_bootstrap=5)
    job = EvaluationJob(policy=POLICY, grader=grader, evaluation=config, set_name="train")
    evaluate(job, store.url, "run")
    found = query(
        connect(store.root),
        "select value from metrics where strategy = 'majority' and metric = 'accuracy' "
        f"and bin = 'all' and budget = {NUM_SAMPLES}",
    ).fetchall()
    shares = []
    for problem in PROBLEMS_HERE:
        votes, num_right = votes_of([r for r in rows if r.problem_id == problem.problem_id])
        most = max(votes.values())
        shares.append(list(votes.values()).count(most) ** -1 if num_right == most else 0)
    assert found == [(pytest.approx(sum(shares) / len(shares)),)]


@pytest.mark.parametrize("kind", ["rest", "preference"])
def test_training_sets_are_of_programs_that_pass(written, prefect_server, kind):
    import datasets

    from flows.dataset_export import build_training_set

    store, _ = written
    job = DatasetExportJob.from_partial({"builder": {"type": kind}})
    name = build_training_set(job, store.url, "run")
    rows = datasets.load_dataset(str(store.root / "datasets" / name), split="train").to_list()
    assert rows
    for row in rows:
        assert is_right(row["completion" if kind == "rest" else "chosen"])
        assert kind == "rest" or not is_right(row["rejected"])
