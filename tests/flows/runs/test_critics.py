"""Which files critics wrote, what is critiqued, and what a forecast says of it."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from flows.commands.critique import CritiqueOptions
from flows.runs.critics import count_chosen, critiqued_files, followed_files, mean_tokens
from flows.runs.forecast import Assumptions, Forecaster
from flows.runs.shares import say_critiques
from schemas.critiques import CritiquesJob
from schemas.rows import CRITIQUES, TRAJECTORIES, VERDICTS, Verdict
from schemas.sampling import SamplingJob
from storage.runs import recorded_run
from storage.shares import CritiqueShares

FIRST, SECOND = "0123456789abcdef", "fedcba9876543210"


@pytest.fixture
def sampled(store, unit_of, make_problem, make_trajectory):
    """Two problems, five solutions, of which one was graded again."""
    problems = [make_problem("p0"), make_problem("p1")]
    store.commit(unit_of("problems", name="eval", stage="problems"), problems)
    rows = [
        make_trajectory("a", correct=True),
        make_trajectory("b", correct=False),
        make_trajectory("c", correct=False),
        make_trajectory("d", problem_id="p1", correct=False),
        make_trajectory("e", problem_id="p1", status="truncated", correct=None, answer=None),
    ]
    unit = unit_of(TRAJECTORIES.name, name="eval.00000")
    store.commit(unit, rows)
    verdict = Verdict(
        trajectory_id="a", grader="m", answer="4", correct=False, created_at=datetime.now(UTC)
    )
    name = f"eval.00000-000-{FIRST}"
    store.commit(unit_of(VERDICTS.name, name=name, stage="regrading"), [verdict])
    return store, unit.path


def job_of(**fields):
    return CritiquesJob.from_partial({"policy": {"type": "markov"}, **fields})


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 4),
        ({"which": "wrong"}, 4),
        ({"which": "right"}, 0),
        ({"which": "wrong", "max_per_problem": 1}, 2),
        ({"round": 1}, None),
    ],
)
def test_what_is_critiqued_by_the_newest_verdicts(sampled, fields, expected):
    store, path = sampled
    found = critiqued_files(store, "run", job_of(**fields))
    assert found == ({} if expected is None else {path: expected})


def test_files_that_are_no_verdicts_are_not_read_as_such(sampled):
    store, path = sampled
    assert count_chosen(store, {path: [path]}, job_of(which="right")) == 1


def test_second_attempts_are_found_by_the_critiques_that_they_follow(sampled, unit_of):
    store, _ = sampled
    for digest in (FIRST, SECOND):
        name = f"eval.00000-{digest}"
        store.commit(unit_of(CRITIQUES.name, name=name, stage="critiques"), [])
    of_path = f"eval.00000-rg1-{FIRST}-{FIRST}"
    store.commit(unit_of(CRITIQUES.name, name=of_path, stage="critiques"), [])
    attempts = unit_of(TRAJECTORIES.name, name=f"eval.00000-{SECOND}-{FIRST}", stage="refinements")
    store.commit(attempts, [])
    found = list(followed_files(store, "run", "eval").values())
    assert found == [[], [attempts.path]]
    assert followed_files(store, "run", "train") == {}


def test_a_forecast_has_critiques_second_attempts_and_retries(sampled):
    store, path = sampled
    assert mean_tokens(store, [path]) == 9
    assert mean_tokens(store, []) is None
    refining = {"num_refinements": 10, "num_retries": 1, "max_tokens": 5}
    made = Forecaster(Assumptions(solution_tokens=9))
    made.critique(job_of(refining=refining, critiquing={"num_critiques": 2}), [3, 1])
    found = [(s.stage, s.units, s.requests, s.solutions, s.tokens) for s in made.stages]
    assert found == [
        ("critique eval", 2, 4, 8, 72),
        ("refine eval", 2, 8, 80, 400),
        ("retry eval", 2, 4, 4, 20),
    ]


def test_options_are_filled_in_from_the_record(store, tmp_path):
    def record(run_id, number=None, **fields):
        job = SamplingJob.from_partial(
            {"problems": {"type": "world"}, "policy": {"type": "markov"}, "round": number, **fields}
        )
        with recorded_run(store, run_id, "sampling", job, part=f"eval-{number}"):
            pass

    sampling = {"max_tokens": 77, "stop": ["\nNext:"]}
    record("one", grader={"type": "exact"}, prompt={"type": "chat"}, sampling=sampling)
    values = CritiqueOptions(
        run_id="one", told="answer", which="wrong", refinements=3, critic="org/critic"
    ).values(store)
    assert values["policy"]["type"] == "markov"
    assert values["grader"]["type"] == "exact"
    assert values["format"] == {"type": "stepwise"}
    assert values["critic"] == {
        "engine": {"type": "vllm", "model": "org/critic"},
        "told": "answer",
    }
    assert (values["set_name"], values["which"]) == ("eval", "wrong")
    ends = {"max_tokens": 77, "stop": ["\nNext:"], "stop_ids": []}
    assert values["refining"] == {"num_refinements": 3, **ends}

    config = tmp_path / "job.yaml"
    config.write_text(
        "set_name: eval\nrefining: {num_retries: 2, max_tokens: 9}\npolicy: {type: planted}\n"
    )
    given = CritiqueOptions(
        run_id="one", refinements=3, config_file=config, changes=("format.type=lines",)
    ).values(store)
    assert given["policy"] == {"type": "planted"}
    assert given["format"] == {"type": "lines"}
    assert given["refining"] == {"num_refinements": 3, "num_retries": 2, **ends, "max_tokens": 9}

    record("two", 0)
    record("two", 1, policy={"type": "markov", "p_right": 0.9})
    with pytest.raises(ValueError, match=r"'eval' were sampled with different policy fields"):
        CritiqueOptions(run_id="two").values(store)
    chosen = CritiqueOptions(run_id="two", changes=("round=1",)).values(store)
    assert chosen["policy"]["p_right"] == 0.9
    with pytest.raises(ValueError, match=r"run three has no sampled solutions of the set 'eval'"):
        CritiqueOptions(run_id="three").values(store)


def test_a_policy_that_is_not_recorded_must_be_named(sampled):
    store, _ = sampled
    with pytest.raises(ValueError, match=r"run run has no record of the policy .*: expected --pol"):
        CritiqueOptions(run_id="run").values(store)
    named = CritiqueOptions(run_id="run", policy="org/policy").values(store)
    assert named["policy"] == {"type": "vllm", "model": "org/policy"}


def test_shares_of_critiques_are_said_with_advice(capsys):
    faults = {"it judges 1 steps of 2": 2, "it judges 3 steps of 2": 1, "it has no verdict": 1}
    shares = CritiqueShares(
        num_rows=11,
        faults=Counter(faults),
        num_errors=1,
        num_truncated=0,
        num_leaks=1,
        generated_tokens=50,
    )
    say_critiques("critique eval", shares)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == (
        "critique eval: of 11 critiques: 40% unreadable, 0% cut, 10% leak the answer; 1 failed"
    )
    assert said[1] == (
        "critique eval: unreadable: it judges N steps of N (3), it has no verdict (1)"
    )
    assert said[2].startswith("critique eval: 40% of the critiques are unreadable: ")
    assert len(said) == 3
