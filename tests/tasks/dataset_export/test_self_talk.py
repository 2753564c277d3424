"""Sets of self-talk from hand-written rows."""

import pyarrow.parquet as pq
import pytest

from schemas.errors import NothingToLearn
from schemas.rows import Step
from schemas.units import Unit

TALKS = "train.00000-talk0-0d93e1b7745ac2f6"
CHAIN = [("step", "2 + 3 = 5"), ("critique", "wrong, add 2"), ("revision", "Answer: 4")]
SPOKEN = [("step", "2 + 3 = 5"), ("critique", "Wait, no."), ("revision", "Answer: 4")]


def steps_of(segments):
    texts = [f"{text}\n" for _, text in segments[:-1]] + [text for _, text in segments[-1:]]
    return tuple(Step(text=text, num_tokens=0) for text in texts)


@pytest.fixture
def talk(store, make_trajectory, unit_of):
    """Commit talks of `p0`: (id, strategy, segments or text, fields)."""

    def commit(*talks, problem="p0"):
        rows = []
        for name, strategy, told, fields in talks:
            is_text = isinstance(told, str)
            values = {
                "problem_id": problem,
                "strategy": strategy,
                "role": "self_talk",
                "parent_id": "t0",
                "branch_step": 0,
                "sample_index": 1,
                "steps": (Step(text=told, num_tokens=3),) if is_text else steps_of(told),
                "segments": None if is_text else tuple(kind for kind, _ in told),
                "answer": "4",
                "correct": True,
                **fields,
            }
            rows.append(make_trajectory(name, **values))
        store.commit(unit_of("trajectories", name=TALKS, stage="self_talk"), rows)

    return commit


@pytest.fixture
def solved(fill):
    fill({"p0": {}}, [("t0", "p0", "2 + 3 = 5\nAnswer: 5", False)])


def test_a_monologue_is_learned_with_the_segments_that_it_joins(solved, talk, build, store):
    talk(("c", "chain", CHAIN, {}), ("m", "monologue", SPOKEN, {"parent_id": "c"}))
    (row,), built = build({"type": "self_talk"})
    assert row["completion"] == "2 + 3 = 5\nWait, no.\nAnswer: 4"
    assert row["segments"] == [
        {"type": kind, "text": text}
        for kind, text in zip(
            ("step", "critique", "revision"),
            ("2 + 3 = 5\n", "Wait, no.\n", "Answer: 4"),
            strict=True,
        )
    ]
    assert "".join(each["text"] for each in row["segments"]) == row["completion"]
    assert row["answer_preserved"] is True
    assert row["source_ids"] == ["m", "t0"]
    assert row["reason"] == "monologue, mended 1 times"
    names = pq.read_schema(next(built.folder.glob("*.parquet"))).names
    assert names[-2:] == ["segments", "answer_preserved"]


def test_a_models_monologue_has_the_segments_of_its_chain(solved, talk, build):
    said = "First I think 2 + 3 = 5. No, wait: it is 2 + 2. Answer: 4"
    talk(("c", "chain", CHAIN, {}), ("m", "monologue", said, {"parent_id": "c"}))
    (row,), _ = build({"type": "self_talk"})
    assert row["completion"] == said
    assert [each["type"] for each in row["segments"]] == ["step", "critique", "revision"]
    assert row["segments"][1]["text"] == "wrong, add 2\n"


@pytest.mark.parametrize(("written", "name"), [("chain", "c"), ("correction", "k")])
def test_chains_and_corrections_are_built_by_name(solved, talk, build, written, name):
    whole = [("step", "2 + 3 = 5"), ("critique", "Review: wrong"), ("revision", "Answer: 4")]
    talk(
        ("c", "chain", CHAIN, {}),
        ("m", "monologue", SPOKEN, {"parent_id": "c"}),
        ("k", "correction", whole, {}),
    )
    (row,), _ = build({"type": "self_talk", "written": written})
    assert row["source_ids"][0] == name


def test_what_was_given_up_changed_or_wrong_is_counted_by_reason(solved, talk, build):
    pruned = {"status": "pruned", "answer": None, "correct": None}
    talk(
        ("c", "chain", CHAIN, {}),
        ("m", "monologue", SPOKEN, {"parent_id": "c"}),
        ("c1", "chain", [], {**pruned, "reason": "its critique cannot be read: it judges 1 steps"}),
        ("c2", "chain", [], {**pruned, "reason": "its critique cannot be read: it has no verdict"}),
        (
            "m1",
            "monologue",
            "Answer: 5",
            {"parent_id": "c", **pruned, "reason": "its answer is not that of the chain"},
        ),
        ("m2", "monologue", "I th", {"parent_id": "c", "status": "truncated", "correct": None}),
        ("m3", "monologue", "So 5. Answer: 5", {"parent_id": "c", "answer": "5", "correct": False}),
        ("m4", "monologue", "Answer: 4", {"parent_id": "elsewhere"}),
    )
    rows, built = build({"type": "self_talk"})
    assert [row["source_ids"][0] for row in rows] == ["m"]
    assert built.facts["counts"]["left_out"]["rows"] == {
        "no_chain:_its_critique_cannot_be_read": 2,
        "monologue_pruned:_its_answer_is_not_that_of_the_chain": 1,
        "monologue_truncated:_no_end": 1,
        "wrong_answer": 1,
    }


def test_a_run_without_self_talk_is_told_what_to_run(solved, build):
    with pytest.raises(NothingToLearn, match="expected self-talk in"):
        build({"type": "self_talk"})


def test_other_sets_have_no_column_of_talk(fill, build):
    fill({"p0": {}}, [("t0", "p0", "2 + 2 = 4\nAnswer: 4", True)])
    (row,), _ = build({"type": "rest_em"})
    assert {"segments", "answer_preserved"}.isdisjoint(row)


def test_the_path_of_talks_is_that_of_the_stage():
    unit = Unit(run_id="run", stage="self_talk", name=TALKS, table="trajectories")
    assert unit.path == f"trajectories/run_id=run/stage=self_talk/{TALKS}.parquet"
