"""Training sets of sampled walks: the flow, its record, its refusals, and the export."""

import asyncio
import json

import pytest

from flows.commands.build import counts_table
from flows.commands.export import export_set
from flows.commands.run import read_config
from flows.dataset_export import build_training_set
from flows.runs.export_plan import plan_export
from schemas.dataset_export import DatasetExportJob
from schemas.engines import MarkovConfig
from schemas.graders import ExactGraderConfig
from schemas.problems import WorldProblemsConfig
from schemas.prompts import PlainPromptConfig
from schemas.sampling import SamplingConfig, SamplingJob
from storage import connect, query
from storage.runs import recorded_run
from tasks.engines.markov_engine import MarkovEngine, markov_problems
from tasks.graders import make_grader
from tasks.prompts.formats import make_prompt_format
from tasks.sampling.sample import sample_problem

POLICY = MarkovConfig(num_steps=4, p_right=0.8)
SAMPLING = SamplingJob(
    problems=WorldProblemsConfig(),
    set_name="train",
    policy=POLICY,
    prompt=PlainPromptConfig(template="Q: {question}\n"),
    grader=ExactGraderConfig(),
    sampling=SamplingConfig(num_samples=8, max_tokens=10),
)


@pytest.fixture
def walked(store, unit_of):
    """Twenty walks of a training set with eight solutions each, and three walks for evaluation."""
    walks = markov_problems(20, seed=3)
    store.commit(unit_of("problems", name="train", stage="problems"), walks)
    held_out = [*markov_problems(2, seed=9, split="test"), walks[0]]
    store.commit(unit_of("problems", name="eval", stage="problems"), held_out)
    engine, grader = MarkovEngine(POLICY), make_grader(SAMPLING.grader)
    prompt_format = make_prompt_format(SAMPLING.prompt, POLICY)

    async def sample():
        return [
            row
            for walk in walks
            for row in await sample_problem(
                walk, engine, grader, prompt_format, SAMPLING, scope="run/sampling"
            )
        ]

    with recorded_run(store, "run", "sampling", SAMPLING, part="train"):
        store.commit(unit_of("trajectories", name="train.00000"), asyncio.run(sample()))
    return store


def job(kind="rest", **fields):
    return DatasetExportJob.from_partial({"builder": {"type": kind}, **fields})


def load(folder):
    import datasets

    return datasets.load_dataset(str(folder), split="train").to_list()


def test_a_set_is_built_once_registered_and_exported(walked, prefect_server, tmp_path, capsys):
    name = build_training_set(job(), walked.url, "run")
    (row,) = walked.read(f"training_sets/run_id=run/stage=dataset_export/{name}.parquet")
    assert (row.name, row.kind, row.form, row.path) == (
        name,
        "rest",
        "prompt_completion",
        f"datasets/{name}",
    )
    assert row.policy == MarkovEngine(POLICY).model_id
    before = (walked.root / row.path / "set.json").read_bytes()
    assert build_training_set(job(), walked.url, "run") == name
    assert (walked.root / row.path / "set.json").read_bytes() == before

    export_set(name, root=walked.url, target=tmp_path / "out", push=None, output="json")
    assert json.loads(capsys.readouterr().out)["place"] == str(tmp_path / "out")
    rows = load(tmp_path / "out")
    assert len(rows) == row.num_rows == json.loads(row.counts)["rows"]
    assert {r["reason"] for r in rows} == {"right answer"}
    right = dict(
        query(
            connect(walked.url),
            "select trajectory_id, problem_id from trajectories where correct",
        ).fetchall()
    )
    assert all(right[r["source_ids"][0]] == r["problem_id"] for r in rows)
    # The first walk is also one of those for evaluation.
    assert markov_problems(1, seed=3)[0].problem_id not in {r["problem_id"] for r in rows}
    assert json.loads(row.counts)["left_out"]["problems"] == {"test_question": 1}

    for values, message in (
        ({"target": tmp_path / "out", "push": None}, "expected a new folder"),
        ({"target": tmp_path / "new", "push": "me/set"}, "got both"),
    ):
        with pytest.raises(ValueError, match=message):
            export_set(name, root=walked.url, output="text", **values)
    with pytest.raises(ValueError, match="has no training set 'other'"):
        export_set("other", root=walked.url, target=None, push=None, output="text")


def test_a_build_that_was_killed_before_its_row_ends_with_the_same_set(walked, prefect_server):
    name = build_training_set(job("v_star"), walked.url, "run")
    folder = walked.root / "datasets" / name
    files = {file.name: file.read_bytes() for file in folder.iterdir()}
    unit = walked.root / f"training_sets/run_id=run/stage=dataset_export/{name}.parquet"
    unit.unlink()
    assert build_training_set(job("v_star"), walked.url, "run") == name
    assert unit.exists()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == files


def test_the_prompt_on_record_is_used_and_names_depend_on_what_is_there(walked, unit_of):
    plan = plan_export(walked, job(), "run")
    assert plan.job.prompt == SAMPLING.prompt
    assert plan.job.policy == POLICY
    given = plan_export(walked, job(prompt={"type": "plain"}), "run")
    assert given.job.prompt == PlainPromptConfig()
    assert plan.test_files == ("problems/run_id=run/stage=problems/eval.parquet",)


def test_other_solutions_make_another_set(walked, prefect_server, unit_of, make_trajectory):
    first = build_training_set(job("rest_em"), walked.url, "run")
    problem_id = markov_problems(2, seed=3)[1].problem_id
    more = make_trajectory("more", problem_id=problem_id)
    walked.commit(unit_of("trajectories", name="train.00001"), [more])
    second = build_training_set(job("rest_em"), walked.url, "run")
    counts = dict(query(connect(walked.url), "select name, num_rows from training_sets").fetchall())
    assert counts[second] == counts[first] + 1


def test_a_command_names_the_builder_and_sets_its_fields():
    changes = ["builder.type=preference", "builder.per_problem=2", "max_rows=9"]
    config = read_config(DatasetExportJob, None, changes)
    assert config == job("preference").with_fields(
        builder={"type": "preference", "per_problem": 2}, max_rows=9
    )
    with pytest.raises(ValueError, match=r"one of rest, rest_em, .* got 'rests'; did you"):
        read_config(DatasetExportJob, None, ["builder.type=rests"])


def test_the_table_counts_rows_and_what_was_left_out():
    counts = {
        "rows": 1200,
        "problems": 3,
        "by_level": {"1": 1200},
        "left_out": {"problems": {}, "solutions": {"equal_text": 7}},
    }
    table = counts_table({"name": "rest-0", "counts": counts})
    assert table.title == "rest-0: 1,200 rows, 3 problems"
    words, numbers = (list(column.cells) for column in table.columns)
    assert [str(word) for word in words] == ["level 1", "left out: solutions, equal text"]
    assert numbers == ["1,200", "7"]


@pytest.mark.parametrize(
    ("kind", "columns"),
    [
        ("reverse_curriculum", {"prompt", "prefix", "answer", "stage", "steps_to_go"}),
        ("preference", {"prompt", "chosen", "rejected"}),
        ("revisions", {"prompt", "completion"}),
    ],
)
def test_forms_load_with_datasets(walked, prefect_server, kind, columns):
    name = build_training_set(job(kind, rows_per_file=7), walked.url, "run")
    rows = load(walked.root / "datasets" / name)
    common = {"source_ids", "problem_id", "source", "level", "weight", "reason"}
    assert columns | common <= set(rows[0])
    others = set(rows[0]) - columns - common  # ids of tokens and the like, which these have not
    assert {row[name] for row in rows for name in others} <= {None}
    assert rows[0]["prompt"].startswith("Q: Walk ")
    assert (walked.root / "datasets" / name / "lengths.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("run_id", "fields", "message"),
    [
        ("nobody", {}, "expected a run with problems, got nobody"),
        ("run", {"source": {"set_names": ["exam"]}}, "run run has no set 'exam', expected one of"),
        ("run", {"source": {"set_names": ["eval"]}}, "problems of the split test, expected train"),
        ("run", {"checks": {"test_sets": ["exam"]}}, "checks.test_sets: run run has no set 'exam'"),
        ("run", {"builder": {"type": "stepwise"}}, "expected labels of one method"),
        ("run", {"prompt": {"type": "chat"}}, "policy: expected the model whose chat template"),
    ],
)
def test_what_cannot_be_built_is_refused_and_leaves_no_record(
    walked, prefect_server, run_id, fields, message
):
    values = {"source": {}, "builder": {"type": "rest"}, "prompt": {"type": "plain"}, **fields}
    with pytest.raises(ValueError, match=message):
        build_training_set(DatasetExportJob.from_partial(values), walked.url, run_id)
    flows = query(connect(walked.url), "select distinct flow from runs").fetchall()
    assert flows == [("sampling",)]
    assert not (walked.root / "datasets").exists()


def test_solutions_nobody_recorded_need_a_prompt(store, unit_of, make_problem):
    store.commit(unit_of("problems", name="train", stage="problems"), [make_problem()])
    with pytest.raises(ValueError, match="prompt: expected one, since run run has no record"):
        plan_export(store, job(), "run")
