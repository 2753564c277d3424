"""Models, where they come from, the sets that they learned from, and a loop's rounds."""

import re

import pyarrow.parquet as pq
import pytest

from flows.view.lineage import draw_lineage
from storage import Store
from storage.built_sets import built_rows
from tests.flows.view.learned import HOSTILE_ROW
from tests.flows.view.test_guard import Tags
from tests.flows.view.test_pages import words


def model(base, training_set, role="policy"):
    return {"role": role, "base": base, "training_set": training_set}


def built(policy, *runs):
    return {"policy": policy, "runs": list(runs), "kind": "rest", "num_rows": 3}


def test_a_lineage_has_what_each_thing_was_made_from_left_of_it():
    models = {"c": model("/x/b", "t2"), "b": model("a", "t1"), "a": model("hub/base", None)}
    sets = {"t2": built("b,a", "r2", "r1"), "t1": built("a", "r1")}
    drawn = draw_lineage("c", models, sets, {"c": "pass@1 0.500"})
    made = {(source.name, thing.name, how) for source, thing, how in drawn.edges}
    assert made == {
        ("b", "c", "began as"), ("t2", "c", "learned from"), ("a", "b", "began as"),
        ("t1", "b", "learned from"), ("r2", "t2", "solutions of"), ("r1", "t2", "solutions of"),
        ("b", "t2", "written by"), ("a", "t2", "written by"), ("r1", "t1", "solutions of"),
        ("a", "t1", "written by"), ("hub/base", "a", "began as"),
    }  # fmt: skip
    assert all(source.x < thing.x for source, thing, _ in drawn.edges)
    assert len({(each.x, each.y) for each in drawn.things}) == len(drawn.things) == 8
    assert next(each.under for each in drawn.things if each.name == "c") == "policy, pass@1 0.500"


def test_a_lineage_that_runs_in_a_circle_or_is_endless_is_drawn():
    circle = {"a": model("b", "t"), "b": model("a", "t")}
    drawn = draw_lineage("a", circle, {"t": built("a,b", "r")}, {})
    assert {each.name for each in drawn.things} == {"a", "b", "t", "r"}
    endless = {str(n): model(str(n + 1), None) for n in range(500)}
    drawn = draw_lineage("0", endless, {}, {})
    assert (len(drawn.things), drawn.is_cut) == (60, True)


def test_rows_of_a_set_are_read_by_number_over_files_and_row_groups(filled, tmp_path):
    store = Store(tmp_path / "store")
    all_rows = pq.read_table(filled.root / "datasets/rest-1/train-00000.parquet")
    folder = store.root / "datasets" / "cut-1"
    folder.mkdir(parents=True)
    for n, (start, num) in enumerate([(0, 9), (9, 1), (10, 13)]):
        part = all_rows.slice(start, num)
        pq.write_table(part, folder / f"train-{n:05d}.parquet", row_group_size=4)
    expected = all_rows.column("completion").to_pylist()
    for start in range(25):
        for num in (1, 3, 20, 40):
            found = built_rows(store, "datasets/cut-1", start, num)
            assert [row["completion"] for row in found] == expected[start : start + num]
    assert "completion_ids" not in built_rows(store, "datasets/cut-1", 0, 1)[0]
    with pytest.raises(FileNotFoundError, match="no rows of the training set"):
        built_rows(store, "datasets/none", 0, 1)
    for path in ("datasets/../x", "/etc", "datasets", "datasets/.."):
        with pytest.raises(ValueError, match="expected a path"):
            built_rows(store, path, 0, 1)


def test_the_models_and_sets_of_a_store(viewer):
    said = words(viewer.text("/models"))
    assert re.search(r"second policy loop first rest-1 31,712 0\.500", said)
    assert re.search(r"judge-1 verifier loop hub/model gone-1", said)
    assert re.search(r"rest-1 rest prompt_completion 23 loop run first", said)
    assert "has no trained models" in words(viewer.text("/models", run="other"))


def test_a_model_says_where_it_comes_from_and_what_it_reached(viewer):
    text = viewer.text("/model", id="second")
    said = words(text)
    assert "rest-1 learned from" not in said  # the words stand the other way round
    assert "second learned from rest-1" in said
    assert "second began as first" in said
    assert "policy, pass@1 0.500" in said
    assert "0.400 to 0.600" in said
    assert "loss 0.125" in said
    assert '"seed": 7' in said
    assert "Models that began as it: second" in words(viewer.text("/model", id="first"))
    assert "verifier, step auc 0.875" in words(viewer.text("/model", id="judge-1"))
    assert viewer.get("/model?id=none").status_code == 404


def test_a_set_has_its_rows_with_links_to_their_sources(viewer):
    text = viewer.text("/training-set", name="rest-1")
    said, tags = words(text), Tags(text).tags
    assert "1 to 20 of 23" in said
    assert "solutions equal text 1,033" in said
    assert "30 ended, 2 cut" in said
    assert HOSTILE_ROW in said
    links = [attributes.get("href") for tag, attributes in tags if tag == "a"]
    assert "/solution?run=loop&id=s1" in links
    assert "/solution?run=run&id=t1" in links
    assert "/solution?run=run&id=t2" in links  # what the critique c0 is about
    assert "not of its runs nowhere" in said
    assert "what came with the problem" in said
    last = words(viewer.text("/training-set", name="rest-1", **{"from": "20"}))
    assert "21 to 23 of 23" in last
    assert "row 22" in last
    assert viewer.get("/training-set?name=rest-1&from=-1").status_code == 400
    assert viewer.get("/training-set?name=none").status_code == 404


def test_a_set_whose_rows_are_gone_has_its_card(own_viewer):
    (own_viewer.store.root / "datasets/rest-1/train-00000.parquet").write_bytes(b"PAR1 no")
    said = words(own_viewer.text("/training-set", name="rest-1"))
    assert "train-00000.parquet cannot be read" in said
    assert "equal text 1,033" in said


def test_a_loops_rounds_have_their_figures_and_samples(viewer):
    said = words(viewer.text("/rounds", run="loop"))
    assert re.search(r"rest 1 0\.500 \(0\.400", said) or re.search(r"rest 1 0\.500", said)
    assert re.search(r"1 first train 1 1 3", said)
    assert re.search(r"second policy rest-1", said)
    assert "pass@1 against round" in re.sub(r"\s+", " ", viewer.text("/rounds", run="loop"))
    assert viewer.get("/rounds?run=run").status_code == 404
