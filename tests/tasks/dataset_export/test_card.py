"""Every kind of set is a folder that `datasets` reads, with a card that describes it."""

import json

import pytest
import yaml

from schemas.rows import Step
from schemas.training_rows import FORM_SCHEMAS, PreferenceRow, to_batch

RIGHT = "one\ntwo\nAnswer: 4"
KINDS = {
    "rest": "prompt_completion",
    "rest_em": "prompt_completion",
    "reverse_curriculum": "prompt_only",
    "preference": "preference",
    "v_star": "preference",
    "stepwise": "stepwise",
    "revisions": "prompt_completion",
    "stitched": "prompt_completion",
    "search_trees": "preference",
    "easy_to_hard": "prompt_completion",
}


@pytest.fixture
def everything(fill, unit_of, make_trajectory):
    """A problem solved right and wrong, labelled, and searched."""
    solutions = [("r", "p", RIGHT, True), ("w", "p", "one\nsix\nAnswer: 6", False)]
    store = fill({"p": {"answer": "4"}}, solutions, labels={"r": [True] * 3})
    beam = {"problem_id": "p", "strategy": "beam", "budget": 2}
    best = make_trajectory("b", steps=(Step(text="one\n", num_tokens=1),), **beam)
    branch = make_trajectory(
        "c", steps=(Step(text="nil\n", num_tokens=1),), status="pruned", correct=None, **beam
    )
    store.commit(unit_of("trajectories", name="train.beam", stage="search"), [best, branch])
    return store


@pytest.mark.parametrize(("kind", "form"), KINDS.items())
def test_every_kind_loads_with_datasets(everything, build, kind, form, tmp_path):
    import datasets

    rows, built = build({"type": kind})
    loaded = datasets.load_dataset(str(built.folder), split="train", cache_dir=str(tmp_path / "c"))
    assert loaded.to_list() == rows
    assert loaded.column_names == FORM_SCHEMAS[form].names
    assert built.facts["form"] == form
    assert len(rows) == built.num_rows > 0


def test_a_card_says_what_a_set_was_made_from(everything, build):
    rows, built = build({"type": "rest"}, checks={"min_steps": 2})
    card = (built.folder / "README.md").read_text()
    _, front, text = card.split("---\n", 2)
    assert yaml.safe_load(front)["configs"][0]["data_files"] == [
        {"split": "train", "path": "train-*.parquet"}
    ]
    for words in (
        "# made",
        "for TRL's SFTTrainer",
        "| policy | `policy-0` |",
        "| 1 | 1 | 100.0% |",
    ):
        assert words in text
    assert "Nothing." in text
    assert json.dumps(rows[0]["prompt"]) in text
    facts = json.loads((built.folder / "set.json").read_text())
    assert facts == built.facts
    assert facts["pool"] == {"problems": 1, "solutions": 2, "right": 1, "wrong": 1}
    assert facts["config"]["checks"]["min_steps"] == 2
    assert (facts["separator"], facts["has_chat_template"]) == ("\n", False)


def test_a_card_counts_what_was_left_out(everything, build, store, unit_of, make_trajectory):
    again = make_trajectory("again", problem_id="p", steps=(Step(text=RIGHT, num_tokens=1),))
    store.commit(unit_of("trajectories", name="train.00001"), [again])
    _, built = build({"type": "rest"})
    assert built.facts["counts"]["left_out"]["solutions"] == {"equal_text": 1}
    assert "* 1 solutions: equal text" in (built.folder / "README.md").read_text()


def test_rows_of_another_form_are_refused():
    row = PreferenceRow(
        prompt="p", chosen="a", rejected="b", source_ids=(), problem_id="p", source="s",
        level=None, weight=1.0, reason="r",
    )  # fmt: skip
    assert to_batch("preference", [row]).to_pylist()[0]["chosen"] == "a"
    with pytest.raises(ValueError, match="expected rows of the form prompt_completion"):
        to_batch("prompt_completion", [row])


def test_a_chat_prompt_is_finished_and_said_to_be(everything, build):
    policy = {"type": "openai", "model": "m", "server": {"base_url": "http://localhost:1/v1"}}
    prompt = {"type": "chat", "system": None}
    (row,), built = build({"type": "rest"}, prompt=prompt, policy={**policy, "api": "chat"})
    assert json.loads(row["prompt"]) == [{"role": "user", "content": "What is p?"}]
    assert built.facts["has_chat_template"] is True
    assert built.facts["separator"] == "\n\n"
