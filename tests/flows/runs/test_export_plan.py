"""How critics and actors were asked, as a set from critiques takes it from a run's records."""

from datetime import UTC, datetime

import pytest

from flows.runs.export_plan import input_files, plan_export
from schemas.critiques import CritiquesJob
from schemas.dataset_export import DatasetExportJob
from schemas.rows import Critique
from schemas.unit_names import SolutionsGroup
from schemas.units import Stage
from storage.runs import recorded_run

POLICY = {"type": "planted"}
CRITIC_PROMPT = {"type": "plain", "template": "{question} Go:\n"}


@pytest.fixture
def run(store, unit_of, make_problem, make_trajectory):
    """A run with solutions, and files of error paths, critiques and second attempts."""
    store.commit(
        unit_of("problems", name="train", stage="problems"), [make_problem("p0", split="train")]
    )
    rows = [make_trajectory("t0")]
    critiques = "train.00000-7a1be3d90c52f468"
    for stage, name in (
        (Stage.SAMPLING, "train.00000"),
        (Stage.ERROR_PATHS, "train.00000-rg2-5f0c61d2a7b3e894"),
        (Stage.REFINEMENTS, f"{critiques}-0d93e1b7745ac2f6"),
    ):
        store.commit(unit_of("trajectories", name=name, stage=stage), rows)
    store.commit(unit_of("critiques", name=critiques, stage=Stage.CRITIQUES), [])
    return store


def record(store, part, **fields):
    job = CritiquesJob.from_partial({"set_name": "train", "policy": POLICY, **fields})
    with recorded_run(store, "run", Stage.CRITIQUES, job, part=part):
        pass


def plan(store, kind, **builder):
    values = {"builder": {"type": kind, **builder}}
    return plan_export(store, DatasetExportJob.from_partial(values), "run")


def asked(planned):
    """Format, template and engines as plain values."""
    job = planned.job.model_dump()
    written = (job["builder"]["format"]["type"], job["prompt"]["template"], job["policy"]["type"])
    return *written, planned.critic.prompt.template


def test_format_prompt_and_policy_are_those_of_the_record(run):
    record(
        run,
        "a",
        format={"type": "stepwise"},
        critic={"type": "model", "prompt": CRITIC_PROMPT},
    )
    for kind, template in (("critique", "{question} Go:\n"), ("refinement", "{question}\n")):
        assert asked(plan(run, kind)) == ("stepwise", template, "planted", "{question} Go:\n")
    assert asked(plan(run, "critique", format={"type": "lines"}))[0] == "lines"


def test_critics_that_were_asked_in_several_ways_need_one_named(run):
    with pytest.raises(ValueError, match=r"run run has none: `stepmill critique --from-run run "):
        plan(run, "critique")
    record(run, "a")
    record(run, "b", critic={"type": "model", "prompt": CRITIC_PROMPT})
    with pytest.raises(ValueError, match=r"prompt: expected one, .*\{question\} Go:"):
        plan(run, "critique")
    assert asked(plan(run, "refinement"))[1] == "{question}\n"
    record(run, "c", format={"type": "stepwise"})
    with pytest.raises(ValueError, match=r"builder\.format: expected one"):
        plan(run, "refinement")


def test_only_sets_that_read_critiques_depend_on_their_files(run):
    record(run, "a")
    with recorded_run(run, "run", Stage.SAMPLING, CritiquesJob(set_name="train"), part="train"):
        pass
    stages = {"error_paths", "critiques", "refinements"}

    def found(kind):
        paths = input_files(run, plan(run, kind))
        return {stage for stage in stages for path in paths if f"stage={stage}/" in path}

    assert found("critique") == stages
    assert found("rest_em") == set()


def test_later_critics_of_the_same_round_do_not_rename_a_set(
    store, unit_of, make_problem, make_trajectory
):
    # A self-rewarding loop has the first policy's solutions judged again in every round.
    store.commit(
        unit_of("problems", name="train", stage="problems"), [make_problem("p0", split="train")]
    )
    solutions = f"{SolutionsGroup.of_round('train', 1, 'policy-0')}.00000"
    store.commit(unit_of("trajectories", name=solutions), [make_trajectory("t0")])
    record(store, "a", round=1)

    def judge(critic, digest):
        critiques = f"{solutions}-{digest * 16}"
        written = Critique(
            critique_id=f"c-{critic}",
            trajectory_id="t0",
            problem_id="p0",
            critic=critic,
            told="nothing",
            sample_index=0,
            status="finished",
            text="",
            steps=(),
            leaks=False,
            temperature=0.0,
            seed=0,
            engine="test",
            created_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        store.commit(unit_of("critiques", name=critiques, stage=Stage.CRITIQUES), [written])
        refinements = unit_of(
            "trajectories", name=f"{critiques}-0d93e1b7745ac2f6", stage=Stage.REFINEMENTS
        )
        store.commit(refinements, [make_trajectory(f"second-{critic}")])

    def files(kind, critics):
        builder = {"type": kind, "critics": critics, "format": {"type": "lines"}}
        if kind == "rise":
            builder |= {"template": "{question}\n{attempts}\nAgain:"}
        values = {"builder": builder, "source": {"rounds": [1], "policies": ["policy-0"]}}
        return input_files(store, plan_export(store, DatasetExportJob.from_partial(values), "run"))

    judge("annotator", "a")
    kinds = ("judge", "refinement")
    before = {kind: files(kind, ["annotator"]) for kind in kinds}
    attempts = files("rise", ["annotator"])
    assert all(sum("a" * 16 in path for path in found) == 2 for found in before.values())
    judge("judge-1", "b")
    assert {kind: files(kind, ["annotator"]) for kind in kinds} == before
    assert len(files("judge", None)) == len(before["judge"]) + 2
    assert len(files("self_rewarding", ["judge-1"])) == len(before["judge"])
    # A second attempt without a critique is no critic's, whatever file it is in.
    assert len(files("rise", ["annotator"])) == len(attempts) + 1
