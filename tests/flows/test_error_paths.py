"""Error paths and their critiques as flows: what is said, what is refused, what a kill changes."""

import json
from dataclasses import replace
from itertools import islice

import pytest

from flows.critiques import critique, critiques_digest, critiques_units
from flows.error_paths import error_paths_digest, error_paths_units, make_error_paths
from flows.regrading import regrade
from flows.runs.sets import verdict_files
from flows.sampling import sample
from schemas.critiques import CritiquesJob
from schemas.engines import MarkovConfig
from schemas.error_paths import (
    ErrorPathsJob,
    HotConfig,
    InjectedConfig,
    ModelErrorsConfig,
    RisingConfig,
)
from schemas.graders import ExactGraderConfig
from schemas.regrading import RegradingJob
from schemas.rows import PROBLEMS, Problem
from schemas.sampling import SamplingJob
from schemas.unit_names import ErrorPathsName, SolutionsName, VerdictsName
from schemas.units import Unit
from storage import Store
from tasks.engines.markov_engine import markov_problems
from tasks.world.problems import iterate_problems

POLICY = {"type": "markov", "num_steps": 5, "p_right": 0.7}
SAMPLING = {
    "problems": {"type": "world"},
    "policy": POLICY,
    "grader": {"type": "exact"},
    "sampling": {"num_samples": 4, "trajectories_per_unit": 40},
}
PATHS = {
    "set_name": "eval",
    "policy": POLICY,
    "grader": {"type": "exact"},
    "paths": [{"type": "rg1"}, {"type": "rg2", "num_paths": 5}],
}
PATHS_OF_RUN = "trajectories/run_id=run/stage=sampling/train.00000.parquet"


@pytest.fixture
def sampled(store, unit_of, make_problem, make_trajectory) -> Store:
    """A run with a unit of solutions of one problem of another world."""
    store.commit(unit_of("problems", "train", stage="problems"), [make_problem("p0")])
    store.commit(unit_of("trajectories", "train.00000"), [make_trajectory("t0")])
    return store


def sample_markov(root: str) -> None:
    """Solutions of 60 problems by a policy with known probabilities."""
    unit = Unit(run_id="run", stage="problems", name="eval", table=PROBLEMS.name)
    Store(root).commit(unit, markov_problems(60, seed=3))
    sample(SamplingJob.from_partial(SAMPLING), root, "run")


def paths_job(**fields) -> ErrorPathsJob:
    return ErrorPathsJob.model_validate({"policy": POLICY, **fields})


def test_whatever_decides_the_paths_changes_their_name():
    plain = RisingConfig()
    model = InjectedConfig(errors=ModelErrorsConfig(engine=MarkovConfig.model_validate(POLICY)))
    other = MarkovConfig(num_steps=5, p_right=0.6)
    ways = [
        *(plain, RisingConfig(num_paths=3), RisingConfig(temperature_rise=0.5)),
        *(InjectedConfig(), InjectedConfig(errors=ModelErrorsConfig()), model),
        InjectedConfig(errors=ModelErrorsConfig(engine=other)),
    ]
    jobs = [
        *(paths_job(), paths_job(seed=1), paths_job(templates="all")),
        *(paths_job(templates_per_problem=2), paths_job(policy=other)),
    ]
    digests = [error_paths_digest(paths_job(), way) for way in ways]
    digests += [error_paths_digest(job, plain) for job in jobs[1:]]
    assert len(set(digests)) == len(ways) + len(jobs) - 1
    hot = HotConfig()  # needs no templates
    assert error_paths_digest(jobs[2], hot) == error_paths_digest(jobs[0], hot)


def test_later_verdicts_on_the_templates_make_other_units():
    job, way = paths_job(), RisingConfig()
    verdicts = {PATHS_OF_RUN: ["verdicts/run_id=run/stage=regrading/x.parquet"]}
    (before,) = error_paths_units(job, way, {PATHS_OF_RUN: []}, "run")
    (after,) = error_paths_units(job, way, verdicts, "run")
    assert before.name != after.name
    assert after.inputs[2:] == tuple(verdicts[PATHS_OF_RUN])
    assert error_paths_units(job, HotConfig(), verdicts, "run") == error_paths_units(
        job, HotConfig(), {PATHS_OF_RUN: []}, "run"
    )


def test_critics_without_a_model_do_not_depend_on_the_actor():
    jobs = [
        CritiquesJob.model_validate(
            {"critic": critic, "policy": {"type": "markov", "num_steps": 5, "p_right": p}, "of": of}
        )
        for critic in ({"type": "checker"}, {"type": "labels", "method": "a"}, {"type": "model"})
        for of in ("samples", "error_paths")
        for p in (0.5, 0.7)
    ]
    assert len({critiques_digest(job) for job in jobs}) == 2 * (1 + 1 + 2)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"critic": {"type": "checker"}}, "which alone has an exact checker"),
        (
            {"critic": {"type": "labels", "method": "monte_carlo[n=8]"}},
            r"critic.method: expected step labels 'monte_carlo\[n=8\]' in run run, got no step",
        ),
        ({"of": "error_paths"}, "has no error paths of the set 'train'"),
    ],
)
def test_a_critic_that_cannot_judge_is_refused(fields, message, sampled):
    job = CritiquesJob.model_validate({"set_name": "train", "policy": POLICY, **fields})
    with pytest.raises(ValueError, match=message):
        critiques_units(job, sampled, "run")


def test_the_checker_takes_problems_of_its_world(store, unit_of, make_trajectory):
    (world,) = islice(iterate_problems(0, "dev"), 1)
    problem = Problem(
        problem_id="p0",
        source="world",
        split="dev",
        question=world.question,
        answer=str(world.answer),
    )
    store.commit(unit_of("problems", "train", stage="problems"), [problem])
    store.commit(unit_of("trajectories", "train.00000"), [make_trajectory("t0")])
    job = CritiquesJob.model_validate({"set_name": "train", "critic": {"type": "checker"}})
    assert len(critiques_units(job, store, "run")) == 1


def test_a_solution_that_is_told_is_right_by_the_newest_verdicts(sampled, unit_of, make_trajectory):
    name = "train.00000-rg1-0123456789012345"
    path = make_trajectory("e0", role="error_path", strategy="rg1", correct=False)
    sampled.commit(unit_of("trajectories", name, stage="error_paths"), [path])
    critic = {"type": "model", "told": "solution"}
    fields = {"set_name": "train", "policy": POLICY, "of": "error_paths", "critic": critic}
    job = CritiquesJob.model_validate(fields)
    (before,) = critiques_units(job, sampled, "run")
    graded = unit_of("verdicts", "train.00000-000-0123456789012345", stage="regrading")
    sampled.commit(graded, [])
    (after,) = critiques_units(job, sampled, "run")
    assert before.inputs[2:] == (PATHS_OF_RUN,)
    assert after.inputs[2:] == (PATHS_OF_RUN, graded.path)
    assert after.name != before.name


def test_error_paths_are_graded_again(sampled, unit_of, make_trajectory, prefect_server):
    name = str(ErrorPathsName(SolutionsName.parse("train.00000"), "rg3", "0123456789012345"))
    row = make_trajectory("e0", role="error_path", strategy="rg3", correct=True, answer="4")
    wrong = replace(row, steps=(*row.steps[:-1], replace(row.steps[-1], text="Answer: 5")))
    path = sampled.commit(unit_of("trajectories", name, stage="error_paths"), [wrong]).path
    job = RegradingJob(set_name="train", grader=ExactGraderConfig(), with_error_paths=True)
    changes = regrade(job, sampled.url, "run")
    assert {(c.before, c.after): n for c, n in changes.items()} == {
        (True, True): 1,
        (True, False): 1,
    }
    files = sampled.files("verdicts", run_id="run", stage="regrading")
    assert {str(VerdictsName.of(each).graded) for each in files} == {"train.00000", name}
    verdicts = verdict_files(sampled, "run", [path])[path]
    assert [verdict.correct for each in verdicts for verdict in sampled.read(each)] == [False]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, prefect_server):
    """A run whose error paths were made without interruption."""
    root = str(tmp_path_factory.mktemp("paths") / "store")
    sample_markov(root)
    return root, make_error_paths(ErrorPathsJob.from_partial(PATHS), root, "run")


def rows_of(root, paths):
    return [
        (row.trajectory_id, row.text, row.seed, row.correct, row.error_step, row.parent_id)
        for path in paths
        for row in Store(root).read(path)
    ]


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_paths(undisturbed, tmp_path, run_and_kill):
    root, paths = undisturbed
    assert len(paths) == 12
    other = str(tmp_path / "store")
    sample_markov(other)
    config = tmp_path / "job.json"
    config.write_text(json.dumps(PATHS))
    arguments = ["run", "error_paths", "--run-id", "run", "--root", other, "--config", str(config)]
    run_and_kill(arguments, lambda line: "rg1 eval" in line and "done" in line)
    committed = Store(other).files("trajectories", run_id="run", stage="error_paths")
    assert 6 <= len(committed) < 12
    assert make_error_paths(ErrorPathsJob.from_partial(PATHS), other, "run") == paths
    assert rows_of(other, paths) == rows_of(root, paths)


@pytest.mark.slow
def test_it_is_said_what_was_left_out(undisturbed, capsys):
    root, paths = undisturbed
    store = Store(root)
    solutions = store.files("trajectories", run_id="run", stage="sampling")
    rows = [row for path in solutions for row in store.read(path)]
    solved = {row.problem_id for row in rows if row.correct}
    num_without = len({row.problem_id for row in rows} - solved)
    assert num_without > 0
    made = [row for path in paths for row in store.read(path)]
    assert sum(row.strategy == "rg2" for row in made) == 5 * len(solved)
    make_error_paths(ErrorPathsJob.from_partial(PATHS), root, "run")
    lines = capsys.readouterr().err.splitlines()
    assert (
        f"error paths eval: {len(solved)} templates; {num_without} of 60 problems have no right "
        "solution"
    ) in lines
    hot = [row.correct for row in made if row.strategy == "rg1"]
    assert f"rg1 eval: 120 paths, {hot.count(False) / 1.2:.0f}% of the graded ones wrong" in lines


@pytest.mark.slow
def test_error_paths_are_critiqued_and_tried_again(undisturbed):
    root, paths = undisturbed
    job = {
        "of": "error_paths",
        "which": "wrong",
        "policy": POLICY,
        "grader": {"type": "exact"},
        "refining": {"num_refinements": 3},
    }
    written = critique(CritiquesJob.from_partial(job), root, "run")
    store = Store(root)
    wrong = {r.trajectory_id for path in paths for r in store.read(path) if r.correct is False}
    critiques = [row for path in written for row in store.read(path)]
    assert {row.trajectory_id for row in critiques} == wrong
    files = store.files("trajectories", run_id="run", stage="refinements")
    attempts = [row for path in files for row in store.read(path)]
    assert len(attempts) == 3 * len(wrong)
    assert {row.parent_id for row in attempts} == wrong
    assert {row.critique_id for row in attempts} == {row.critique_id for row in critiques}
