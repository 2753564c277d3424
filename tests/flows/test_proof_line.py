"""The line over proofs: random tactics, whose chances a table knows, graded by Coq."""

import asyncio
from math import comb

import pytest

from schemas.dataset_export import DatasetExportJob
from schemas.engines import TacticsConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.graders import ProofGraderConfig
from schemas.problems import TheoremProblemsConfig
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.step_labels import MonteCarloConfig
from storage import Store, connect, query
from tasks.engines.tactics_engine import TACTICS, TacticsEngine, tactic_proofs
from tasks.graders import make_grader
from tasks.graders.coq_checker import coq_fault, coq_version
from tasks.problems.theorems import theorem_problems
from tasks.prompts.formats import make_prompt_format
from tasks.step_labels.labels import label_steps
from tasks.step_labels.rollouts import roll_out_trajectories
from tests.flows.sampled import text_of, write_sampled

pytestmark = pytest.mark.skipif(coq_fault() is not None, reason=str(coq_fault()))
NUM_SAMPLES = 6
JOB = SamplingJob(
    problems=TheoremProblemsConfig(),
    set_name="train",
    policy=TacticsConfig(),
    grader=ProofGraderConfig(),
    sampling=SamplingConfig(num_samples=NUM_SAMPLES, max_tokens=8),
)
PROBLEMS_HERE = theorem_problems()[:2]
ENGINE = TacticsEngine(TacticsConfig())
FORMAT = make_prompt_format(JOB.prompt, JOB.policy)
GRADER = make_grader(JOB.grader)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A store with six proofs of each of two theorems, and their rows."""
    store = Store(tmp_path_factory.mktemp("proofs") / "store")
    rows = write_sampled(store, JOB, PROBLEMS_HERE, ENGINE, GRADER)
    return store, rows


def is_proof(problem, text):
    """Whether the table has the tactics of a text for the theorem of a problem."""
    *tactics, end = text.split("\n")
    statement = problem.question.rpartition("Theorem goal : ")[2].removesuffix(".")
    digits = "".join(str(TACTICS.index(line)) for line in tactics)
    return end == "Qed." and digits in tactic_proofs()[statement]


def problem_of(row):
    return next(each for each in PROBLEMS_HERE if each.problem_id == row.problem_id)


def test_proofs_are_graded_as_the_table_says_and_their_steps_are_tactics(written):
    _, rows = written
    assert len(rows) == len(PROBLEMS_HERE) * NUM_SAMPLES
    for row in rows:
        assert row.correct is is_proof(problem_of(row), text_of(row))
        assert row.check_result.status == ("passed" if row.correct else "failed")
        assert row.grader.startswith(f"proof-coq-{coq_version()}+")
        *tactics, end = [step.text for step in row.steps]
        assert {tactic.removesuffix("\n") for tactic in tactics} <= set(TACTICS)
        assert end == "Qed."
    assert {row.correct for row in rows} == {True, False}


def test_labels_of_tactics_are_what_their_rollouts_prove(written):
    """A rollout counts as a proof together with the tactics before it."""
    _, rows = written
    chosen = [next(row for row in rows if row.correct is right) for right in (True, False)]
    config = MonteCarloConfig(num_rollouts=2, max_rollout_tokens=8, audit_fraction=0)
    rollouts = asyncio.run(
        roll_out_trajectories(
            {problem.problem_id: problem for problem in PROBLEMS_HERE},
            chosen,
            config,
            engine=ENGINE,
            grader=GRADER,
            prompt_format=FORMAT,
            seed=7,
            scope="run",
        )
    )
    by_id = {row.trajectory_id: row for row in chosen}
    drawn = {}
    for rollout in rollouts:
        row = by_id[rollout.parent_id]
        before = "".join(step.text for step in row.steps[: rollout.branch_step])
        assert rollout.correct is is_proof(problem_of(row), before + text_of(rollout))
        drawn.setdefault((row.trajectory_id, rollout.branch_step), []).append(rollout.correct)
    labels = label_steps(chosen, rollouts, config)
    assert len(labels) == sum(len(row.steps) for row in chosen)
    for label in labels:
        row, num_steps = by_id[label.trajectory_id], label.step_index + 1
        rights = drawn.get((label.trajectory_id, num_steps))
        if rights is None:
            assert label.soft == float(row.correct)
        else:
            assert label.soft == sum(rights) / len(rights)
            assert len(rights) == 2
    assert drawn


def test_pass_at_k_and_its_law_are_measured_and_votes_are_not(written, prefect_server):
    from flows.evaluation import evaluate

    store, rows = written
    config = EvaluationConfig(budgets=(1, 2, 4), num_bootstrap=20, coverage_law=True)
    job = EvaluationJob(policy=JOB.policy, grader=JOB.grader, evaluation=config, set_name="train")
    evaluate(job, store.url, "run")
    found = query(
        connect(store.root), "select metric, strategy, budget, value from metrics"
    ).fetchall()
    figures = {(metric, strategy, k): value for metric, strategy, k, value in found}
    rights = [
        [row.correct for row in rows if row.problem_id == problem.problem_id].count(True)
        for problem in PROBLEMS_HERE
    ]
    for k in (1, 2, 4):
        chances = [1 - comb(NUM_SAMPLES - c, k) / comb(NUM_SAMPLES, k) for c in rights]
        assert figures["coverage", "pass", k] == pytest.approx(sum(chances) / len(chances))
    assert any(metric == "coverage_b" for metric, _, _ in figures)
    names = {strategy for _, strategy, _ in figures}
    assert not any("majority" in name or "weighted" in name for name in names)


@pytest.mark.parametrize("kind", ["rest", "preference"])
def test_training_sets_are_of_proofs(written, prefect_server, kind):
    import datasets

    from flows.dataset_export import build_training_set

    store, _ = written
    job = DatasetExportJob.from_partial({"builder": {"type": kind}, "source": {"splits": ["test"]}})
    name = build_training_set(job, store.url, "run")
    made = datasets.load_dataset(str(store.root / "datasets" / name), split="train").to_list()
    assert made
    for row in made:
        problem = next(each for each in PROBLEMS_HERE if each.question in row["prompt"])
        assert is_proof(problem, row["completion" if kind == "rest" else "chosen"])
        assert kind == "rest" or not is_proof(problem, row["rejected"])
