"""A set labelled in two ways in a run: both lie beside each other, and no reader mixes them."""

import pytest

from flows.runs.export_plan import input_files, plan_export
from flows.runs.sets import label_files, label_files_for
from schemas.dataset_export import DatasetExportJob
from schemas.engines import MarkovConfig
from schemas.errors import RunConflict
from schemas.rows import Problem, Step
from schemas.step_labels import StepLabelsJob, type_of_method
from storage import connect, query
from storage.runs import recorded_run
from tasks.dataset_export.sources import open_sources

QUESTION = (
    "Monday: Ana has 40 cards. Tuesday: Ana finds 5 cards. Wednesday: Ana loses 3 cards. "
    "How many cards does Ana have now?"
)
SOLUTIONS = (
    ("Tuesday: [finds] 40 + 5 = 45\n", "Wednesday: [loses] 45 - 3 = 42\n", "Answer: 42"),
    ("Tuesday: [finds] 40 - 5 = 35\n", "Wednesday: [loses] 35 - 3 = 32\n", "Answer: 32"),
)
FILE = "step_labels/run_id=run/stage=step_labels/train.00000-000{}.parquet"


@pytest.fixture
def solved(store, unit_of, make_trajectory, prefect_server):
    """Two solutions of a problem of the built-in world, whose second one is graded right."""
    problem = Problem(
        problem_id="p0", source="world", split="train", question=QUESTION, answer="42", level=2
    )
    rows = [
        make_trajectory(
            f"t{index}",
            sample_index=index,
            steps=tuple(Step(text=text, num_tokens=5, logprob=-1.0) for text in texts),
            answer=texts[-1].removeprefix("Answer: "),
        )
        for index, texts in enumerate(SOLUTIONS)
    ]
    store.commit(unit_of("problems", name="train", stage="problems"), [problem])
    store.commit(unit_of("trajectories", name="train.00000"), rows)
    return store


def job(kind, **fields):
    """A job without a completer where its labels need none."""
    policy = MarkovConfig() if kind in ("monte_carlo", "consensus") else None
    return StepLabelsJob.model_validate({"policy": policy, "labels": {"type": kind}, **fields})


def label(store, kind, **fields):
    from flows.step_labels import label_steps

    return label_steps(job(kind, **fields), store.url, "run")


def ask(store, sql):
    return query(connect(store.url), sql).fetchall()


def export(method=None):
    return DatasetExportJob.from_partial(
        {
            "builder": {"type": "stepwise", "method": method, "unlabelled": "keep"},
            "source": {"set_names": ["train"], "splits": ["train"]},
            "prompt": {"type": "plain"},
        }
    )


def test_noise_by_position_is_a_query_once_the_checker_labelled_the_set_as_well(solved):
    """By its answer the second solution is right; the checker finds its every step wrong."""
    assert label(solved, "outcome") == [FILE.format("")]
    assert label(solved, "checker") == [FILE.format("-checker")]
    noise = "select method, step_index, num_labels, right_by_mistake, noise from label_noise"
    assert ask(solved, noise) == [("outcome", 2, 2, 1, 0.5)]
    parts = ask(solved, "select part, state from run_state where flow = 'step_labels' order by 1")
    assert parts == [("train", "completed"), ("train.checker", "completed")]


def test_each_labelling_is_found_again_and_keeps_its_settings(solved):
    paths = label(solved, "checker"), label(solved, "outcome")
    written = {path: (solved.root / path).stat().st_mtime_ns for (path,) in paths}
    assert paths == ([FILE.format("")], [FILE.format("-outcome")])
    assert (label(solved, "checker"), label(solved, "outcome")) == paths
    assert {path: (solved.root / path).stat().st_mtime_ns for path in written} == written
    with pytest.raises(RunConflict, match=r"\(train\.outcome\) of run run began .*seed: 0 then"):
        label(solved, "outcome", seed=1)


def test_what_was_made_from_the_first_labels_does_not_change(solved):
    label(solved, "outcome")
    before = input_files(solved, plan_export(solved, export(), "run"))
    label(solved, "checker")
    plan = plan_export(solved, export(), "run")
    assert input_files(solved, plan) == before
    with open_sources(solved, plan) as sources:
        assert sources.method == "outcome"
    first, later = FILE.format(""), FILE.format("-checker")
    assert set(label_files(solved, "run", "train")) == {first, later}
    assert label_files_for(solved, "run", "train", None) == [first]
    assert label_files_for(solved, "run", "train", "outcome") == [first]
    assert set(label_files_for(solved, "run", "train", "checker")) == {first, later}
    by_checker = plan_export(solved, export("checker"), "run")
    assert set(input_files(solved, by_checker)) == {*before, later}
    with open_sources(solved, by_checker) as sources:
        assert sources.method == "checker"


def test_two_labellings_that_draw_rollouts_are_refused(solved):
    """Their rollouts would have the same ids."""
    with recorded_run(solved, "run", "step_labels", job("monte_carlo"), part="train"):
        pass
    with pytest.raises(RunConflict, match="a type without rollouts beside it, got consensus"):
        label(solved, "consensus")
    assert label(solved, "checker") == [FILE.format("-checker")]


def test_a_checker_of_other_problems_is_refused_before_any_work(store, unit_of, make_problem):
    from flows.step_labels import label_steps

    store.commit(unit_of("problems", name="train", stage="problems"), [make_problem()])
    with pytest.raises(ValueError, match="expected problems of the built-in world"):
        label_steps(job("checker"), store.url, "run")


@pytest.mark.parametrize("kind", ["monte_carlo", "consensus", "judge"])
def test_labels_that_ask_a_model_need_one(kind):
    with pytest.raises(ValueError, match=f"expected the model that labels by {kind} ask, got none"):
        StepLabelsJob.model_validate({"labels": {"type": kind}})
    judge = {"type": "judge", "engine": MarkovConfig()}
    assert StepLabelsJob.model_validate({"labels": judge}).policy is None


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("checker", "checker"),
        ("judge[n=3,answer]", "judge"),
        ("monte_carlo[n=8,first_hit]", "monte_carlo"),
        ("second[judge[n=1]]", "consensus"),
        ("consensus[monte_carlo[n=8],checker]", "consensus"),
    ],
)
def test_the_type_that_a_method_is_of(method, kind):
    assert type_of_method(method) == kind
