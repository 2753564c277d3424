"""Proofs through the line: tactics as steps, rollouts, pass@k, best of N, and proofs of others.

The table of the policy of random tactics says which proofs Coq accepts; Coq itself grades.
"""

import json

import pytest

from schemas.engines import TacticsConfig
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.graders import ProofGraderConfig
from schemas.imports import ImportsJob
from schemas.pool import PoolConfig
from schemas.problems import TheoremProblemsConfig
from schemas.regrading import RegradingJob
from schemas.sampling import SamplingConfig, SamplingJob
from schemas.search import SearchJob, SearchLimits
from schemas.search.strategies import BestOfNConfig
from schemas.step_labels import MonteCarloConfig, StepLabelsJob
from storage import connect, query
from tasks.engines.tactics_engine import TACTICS, tactic_proofs
from tasks.graders.coq_checker import coq_fault, coq_version

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(coq_fault() is not None, reason=str(coq_fault())),
]
POLICY = TacticsConfig()
GRADER = ProofGraderConfig()
PROBLEMS = TheoremProblemsConfig(limit=2)
POOL = PoolConfig(num_actors=1)
NUM_SAMPLES = 3


def ask(store, sql):
    cursor = query(connect(store.root), sql)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def is_proof(question, text):
    """Whether the table has the tactics of a text for the theorem of a question."""
    lines = text.split("\n")
    statement = question.rpartition("Theorem goal : ")[2].removesuffix(".")
    digits = "".join(str(TACTICS.index(line)) for line in lines[:-1])
    return lines[-1] == "Qed." and digits in tactic_proofs()[statement]


@pytest.fixture(scope="module")
def sampled(tmp_path_factory, prefect_server, local_ray):
    """A store with sampled proofs, labels of their tactics by rollouts, and their figures."""
    from flows.evaluation import evaluate
    from flows.sampling import sample
    from flows.step_labels import label_steps
    from storage import Store

    store = Store(tmp_path_factory.mktemp("proofs") / "store")
    sampling = SamplingConfig(num_samples=NUM_SAMPLES, max_tokens=8)
    sample(
        SamplingJob(problems=PROBLEMS, policy=POLICY, grader=GRADER, sampling=sampling, pool=POOL),
        store.url,
        "run",
    )
    labels = MonteCarloConfig(num_rollouts=1, max_rollout_tokens=8, audit_fraction=0)
    label_steps(
        StepLabelsJob(set_name="eval", policy=POLICY, grader=GRADER, labels=labels, pool=POOL),
        store.url,
        "run",
    )
    evaluation = EvaluationConfig(budgets=(1, 2), num_bootstrap=20, coverage_law=True)
    evaluate(EvaluationJob(evaluation=evaluation), store.url, "run")
    return store


WHOLE = """
select t.trajectory_id, p.question, t.correct, t.grader, t.check_result, t.steps, t.strategy,
       array_to_string([s.text for s in t.steps], '') as text
from trajectories as t join problem_list as p using (run_id, problem_id)
"""


def test_proofs_are_graded_as_the_table_says_and_their_steps_are_tactics(sampled):
    rows = [row for row in ask(sampled, WHOLE) if row["strategy"] == "sample"]
    assert len(rows) == 2 * NUM_SAMPLES
    for row in rows:
        assert row["correct"] is is_proof(row["question"], row["text"])
        assert row["check_result"]["status"] == ("passed" if row["correct"] else "failed")
        assert row["grader"].startswith(f"proof-coq-{coq_version()}+")
        *tactics, end = [step["text"] for step in row["steps"]]
        assert {tactic.rstrip("\n") for tactic in tactics} <= set(TACTICS)
        assert end == "Qed."
    assert {row["correct"] for row in rows} == {True, False}


def test_labels_of_tactics_are_what_rollouts_prove(sampled):
    """A rollout is a proof together with the tactics before it; one decides each label."""
    rows = {row["trajectory_id"]: row for row in ask(sampled, WHOLE)}
    labels = ask(sampled, "select trajectory_id, step_index, soft, hard from step_labels")
    assert {label["trajectory_id"] for label in labels} == {
        name for name, row in rows.items() if row["strategy"] == "sample"
    }
    for label in labels:
        assert label["soft"] in (0, 1, None)
    rollouts = ask(
        sampled,
        "select trajectory_id, parent_id, branch_step from trajectories "
        "where parent_id is not null",
    )
    assert rollouts
    for rollout in rollouts:
        before, row = rows[rollout["parent_id"]], rows[rollout["trajectory_id"]]
        prefix = "".join(step["text"] for step in before["steps"][: rollout["branch_step"]])
        assert row["correct"] is is_proof(before["question"], prefix + row["text"])


def test_coverage_is_that_of_the_proofs_and_nothing_is_voted_on(sampled):
    figures = ask(sampled, "select strategy, metric, budget, value from metrics where bin = 'all'")
    rights = [row["correct"] for row in ask(sampled, WHOLE) if row["strategy"] == "sample"]
    found = {
        (row["metric"], row["budget"]): row["value"] for row in figures if row["strategy"] == "pass"
    }
    assert found["accuracy", 1] == pytest.approx(sum(rights) / len(rights))
    assert found["coverage", 1] == found["accuracy", 1]
    assert found["coverage", 2] == found["accuracy", 2] >= found["coverage", 1]
    assert not any("majority" in row["strategy"] for row in figures)


def test_the_best_of_n_is_a_proof_where_there_is_one(store, prefect_server, local_ray):
    from flows.search import search

    job = SearchJob(
        problems=PROBLEMS,
        policy=POLICY,
        verifier=POLICY,
        grader=GRADER,
        strategies=(BestOfNConfig(),),
        budgets=(2,),
        limits=SearchLimits(max_tokens=8, max_step_tokens=4),
        pool=POOL,
    )
    search(job, store.url, "run")
    solved = {}
    for row in ask(store, WHOLE):
        right = is_proof(row["question"], row["text"])
        assert row["correct"] is right
        solved[row["question"]] = solved.get(row["question"], False) or right
    decided = ask(
        store,
        "select p.question, d.correct, d.pick from decisions as d join problem_list as p "
        "using (run_id, problem_id) where d.is_main",
    )
    assert {row["question"]: row["correct"] for row in decided} == solved
    assert {row["pick"] for row in decided} == {"best_of_n[last]"}


def test_proofs_that_others_wrote_are_graded_and_graded_again(
    store, tmp_path, prefect_server, capsys
):
    from flows.imports import import_solutions
    from flows.regrading import regrade

    rows = [
        {
            "question": "Is zero a right unit?",
            "check": {"statement": "forall n : nat, n + 0 = n"},
            "responses": ["Proof. induction n; simpl; congruence. Qed.", "simpl.", "Admitted."],
        },
        {"question": "?", "check": {"statement": "forall n, n +"}, "responses": ["auto."]},
    ]
    path = tmp_path / "theirs.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    job = ImportsJob(path=path, check_column="check", grader=GRADER)
    import_solutions(job, store.url, "theirs")
    assert 'stays ungraded: File "./Check.v"' in capsys.readouterr().err
    graded = """
        select array_to_string([s.text for s in steps], '') as text, correct, check_result.status
        from graded
    """
    expected = [
        ("Admitted.", False, "refused"),
        ("Proof. induction n; simpl; congruence. Qed.", True, "passed"),
        ("auto.", None, "bad_check"),
        ("simpl.", False, "failed"),
    ]

    def found():
        rows = [tuple(row.values()) for row in ask(store, graded)]
        return sorted(rows, key=lambda row: (row[0], row[1] is None))

    assert found() == expected
    changes = regrade(RegradingJob(grader=GRADER), store.url, "theirs")
    assert sum(changes.values()) == 4
    assert all(change.before is change.after for change in changes)
    assert found() == expected
