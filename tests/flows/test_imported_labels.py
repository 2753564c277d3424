"""Step labels of others in a run: stored, measured against scores, and trained on."""

import json
import random

import pytest

from flows.tables.truth import truth_rows
from schemas.evaluation import EvaluationConfig, EvaluationJob
from schemas.imports import ImportsJob
from schemas.prm_training import PrmTrainingJob
from schemas.rows import STEP_SCORES, StepScores
from schemas.unit_names import ScoresName, SolutionsName
from schemas.units import Unit
from storage import connect, query

GENERATORS = ("a", "b")


def ask(store, sql):
    return query(connect(store.url), sql).fetchall()


def write(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def judged(number, subset, label, num_steps=3):
    """A row of ProcessBench: every problem has two solutions."""
    return {
        "id": f"{subset}-{number}",
        "generator": GENERATORS[number % 2],
        "problem": f"{subset} {number // 2}?",
        "steps": [f"step {number} {place}" for place in range(num_steps)],
        "final_answer_correct": label == -1,
        "label": label,
    }


@pytest.fixture
def judged_set(tmp_path, store, prefect_server):
    """Forty solutions of twenty problems in two subsets; one row that is broken."""
    from flows.imports import import_solutions

    rows = [
        judged(number, subset, (-1, 0, 1, 2)[number % 4])
        for subset in ("gsm8k", "math")
        for number in range(20)
    ]
    rows.insert(5, judged(0, "math", 7))
    path = write(tmp_path / "bench.jsonl", *rows)
    job = ImportsJob(path=path, trajectories_per_unit=11)
    import_solutions(job, store.url, "run")
    return store, job


def test_labels_are_rows_that_name_whose_they_are(judged_set, capsys):
    store, _ = judged_set
    assert ask(store, "select count(*), count(distinct problem_id) from trajectories") == [(40, 20)]
    assert ask(store, "select split, count(*) from problems group by 1 order by 1") == [
        ("gsm8k", 10),
        ("math", 10),
    ]
    assert ask(
        store,
        "select method, completer, evidence, hard, soft, count(*) from step_labels "
        "group by all order by hard nulls first",
    ) == [
        ("human", "bench", "imported", None, None, 30),
        ("human", "bench", "imported", False, 0.0, 30),
        ("human", "bench", "imported", True, 1.0, 60),
    ]
    own = (
        "select sample_index, grader, correct, token_ids, vocabulary, "
        "array_to_string([s.text for s in steps], '') from trajectories "
        "join problems using (problem_id) where question = 'math 0?' order by 1"
    )
    assert ask(store, own) == [
        (0, "imported", True, None, None, "step 0 0\nstep 0 1\nstep 0 2"),
        (1, "imported", False, None, None, "step 1 0\nstep 1 1\nstep 1 2"),
    ]
    assert len(store.files("step_labels", run_id="run", stage="imports")) == 4


def test_an_import_goes_on_where_labels_are_missing(judged_set):
    from flows.imports import import_solutions

    store, job = judged_set
    paths = store.files("step_labels", run_id="run", stage="imports")
    before = {path: store.read(path) for path in paths}
    (store.root / paths[1]).unlink()
    import_solutions(job, store.url, "run")
    assert {path: store.read(path) for path in paths} == before


def test_any_scores_have_a_first_error_f1_against_the_labels(judged_set, capsys):
    """Right steps score .9, wrong ones .1; one error in gsm8k is scored as if it were right."""
    from flows.commands.report import show_report
    from flows.evaluation import evaluate

    store, _ = judged_set
    missed = ask(
        store,
        "select trajectory_id from trajectories join problems using (problem_id) "
        "where question = 'gsm8k 0?' and not correct",
    )[0][0]
    for path in store.files("trajectories", run_id="run", stage="imports"):
        labelled = path.replace("trajectories", "step_labels", 1).removesuffix(".parquet")
        labels = {
            (row.trajectory_id, row.step_index): row.hard
            for row in store.read(f"{labelled}-000.parquet")
        }
        scores = [
            StepScores(
                trajectory_id=row.trajectory_id,
                verifier="v",
                scores=tuple(
                    0.1
                    if labels[row.trajectory_id, i] is False and row.trajectory_id != missed
                    else 0.9
                    for i in range(len(row.steps))
                ),
                scored_tokens=1,
                cached_tokens=0,
            )
            for row in store.read(path)
        ]
        unit = Unit(
            run_id="run",
            stage="scoring",
            name=str(ScoresName.by("v", SolutionsName.of(path))),
            table=STEP_SCORES.name,
        )
        store.commit(unit, scores)
    evaluate(
        EvaluationJob(evaluation=EvaluationConfig(num_bootstrap=50, budgets=(1, 2))),
        store.url,
        "run",
    )
    found = ask(
        store,
        "select metric, bin, value, against from curves where metric like '%first_error%' "
        "or metric like '%flawless%' or metric = 'erroneous_solutions'",
    )
    values = {(metric, name): value for metric, name, value, _ in found}
    assert {against for *_, against in found} == {"human"}
    assert values["erroneous_solutions", "all"] == 30
    assert values["flawless_solutions", "all"] == 10
    assert values["first_error_accuracy", "all"] == pytest.approx(29 / 30)
    assert values["flawless_accuracy", "all"] == 1.0
    assert values["first_error_f1", "subset=math"] == 1.0
    gsm8k = 2 * (14 / 15) / (14 / 15 + 1)
    assert values["first_error_f1", "subset=gsm8k"] == pytest.approx(gsm8k)
    assert values["first_error_f1_mean", "all"] == pytest.approx((gsm8k + 1) / 2)
    capsys.readouterr()
    show_report(connect(store.url), "run", "table")
    printed = capsys.readouterr().out
    assert "step scores of v against human" in printed
    assert "first-error F1" in printed
    [path] = store.files("metrics", run_id="run", stage="evaluation")
    words = {words for _, words, _ in truth_rows(store.read(path))}
    assert {"first-error F1, gsm8k", "first errors found, fold 1", "flawless solutions"} <= words


def test_labels_of_two_sources_are_told_apart_by_their_method(tmp_path, store, prefect_server):
    """PRM800K's alternatives become rows of a stepwise set, with the labels of the named method."""
    from flows.dataset_export import build_training_set
    from flows.imports import import_solutions
    from flows.prm_training import set_job

    def completion(text, rating):
        return {"text": text, "rating": rating, "flagged": None}

    row = {
        "question": {"problem": "One and one?", "ground_truth_answer": "2"},
        "label": {
            "steps": [
                {
                    "completions": [completion("Both are one.", 0), completion("Neither is.", -1)],
                    "human_completion": None,
                    "chosen_completion": 0,
                },
                {
                    "completions": [completion("Together two.\n\n# Answer\n\n2", 1)],
                    "human_completion": None,
                    "chosen_completion": 0,
                },
            ],
            "finish_reason": "solution",
        },
    }
    first = write(tmp_path / "prm.jsonl", row)
    second = write(
        tmp_path / "step.jsonl",
        {"prompt": "Two and two?", "completions": ["Is it five?"], "labels": [False]},
    )
    prompt = {"separator": "\n\n"}
    for path, name in ((first, "people"), (second, "machine")):
        fields = {"path": path, "set_name": name, "split": "train", "prompt": prompt}
        import_solutions(ImportsJob.from_partial(fields), store.url, "run")
    job = PrmTrainingJob.from_partial(
        {
            "set_names": ("people", "machine"),
            "policy": {"type": "vllm", "model": "world-policy"},
            "training": {"base_model": "world-policy", "separator": "\n\n"},
            "prompt": prompt,
        }
    )
    with pytest.raises(ValueError, match=r"expected labels of one method in .*human, imported"):
        build_training_set(set_job(store, job, "run"), store.url, "run")
    name = build_training_set(
        set_job(store, job.with_fields(method="human"), "run"), store.url, "run"
    )
    rows = ask(
        store,
        "select completions, labels from read_parquet("
        f"'{store.root}/datasets/{name}/*.parquet') order by len(completions)",
    )
    assert rows == [
        (["Neither is."], [False]),
        (["Both are one.", "Together two.\n\n# Answer\n\n2"], [True, True]),
    ]


@pytest.mark.slow
def test_a_verifier_is_trained_on_imported_labels_without_a_rollout(
    tmp_path, store, prefect_server
):
    from flows.imports import import_solutions
    from flows.prm_training import train_verifier

    rng = random.Random(0)
    rows = [
        {
            "prompt": f"What is {number} and {rng.randint(1, 9)}?",
            "completions": [f"{number} + 1 = 7", f"Answer: {number % 10}"],
            "labels": [bool(number % 2)] * 2,
        }
        for number in range(40)
    ]
    job = ImportsJob.from_partial(
        {"path": write(tmp_path / "mine.jsonl", *rows), "set_name": "mine", "split": "train"}
    )
    import_solutions(job, store.url, "run")
    training = {"base_model": "world-policy", "num_workers": 0, "max_steps": 3}
    folder = train_verifier(
        PrmTrainingJob.from_partial(
            {
                "set_names": ("mine",),
                "method": "imported",
                "policy": {"type": "vllm", "model": "world-policy"},
                "training": training,
            }
        ),
        store.url,
        "run",
    )
    assert folder
    assert ask(store, "select method, targets, data from verifier_labels") == [
        ("imported", "hard", "prm")
    ]
    assert ask(store, "select count(*) from trajectories where role = 'rollout'") == [(0,)]
