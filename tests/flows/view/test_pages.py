"""What each page says, against the rows it is made from."""

import re
from datetime import timedelta

import pytest

from flows.view.app import make_page
from flows.view.links import path_link
from flows.view.pages import PAGES
from flows.view.pages.problem import by_answer, picks_of
from flows.view.pages.solution import changes
from flows.view.site import Site, View, term
from storage.viewing import Snapshot
from tests.flows.view.conftest import AT, fill_searched, record
from tests.flows.view.test_guard import Tags


def words(text):
    return " ".join(Tags(text).words.split())


def test_the_first_page_has_every_run_with_its_state(viewer):
    said = words(viewer.text("/"))
    assert re.search(r"other sampling completed 1 of 1", said)
    assert re.search(r"run sampling going on 0 of 1", said)
    assert "1 unit" in said


def test_the_first_page_says_what_it_does_not_know_while_a_store_is_opened_and_counted(
    filled, searched
):
    def page(store, tables=None):
        snapshot = Snapshot(store.url, memory_limit=None, damaged={}, tables=tables)
        text = make_page(PAGES["runs"], View(Site(store.url), snapshot), path_link)
        snapshot.interrupt()
        assert 'data-live="1"' in text
        return words(text)

    for tables, reason in ((("runs",), "files are looked at"), (None, "are being counted")):
        said = page(filled, tables)
        assert reason in said
        assert "other sampling completed 1 of 1 … … 2 min" in said
        assert "run not recorded … … …" in page(searched, tables)


def test_a_run_going_on_is_seen_to_move(own_viewer, unit_of, make_trajectory):
    assert "data-live" in own_viewer.text("/run", run="run")
    rows = [make_trajectory(f"more{n}", sample_index=n) for n in range(7)]
    own_viewer.store.commit(unit_of("trajectories", name="eval.00001"), rows)
    record(own_viewer.store, unit_of, "run", "completed", AT + timedelta(hours=1))
    own_viewer.text("/")
    own_viewer.catalog.wait()
    said = own_viewer.text("/run", run="run")
    assert "data-live" not in said
    assert "sampling trajectories 2 13" in words(said)


def test_a_run_says_its_stages_what_failed_and_how_its_config_differs(viewer):
    text = viewer.text("/run", run="run", **{"with": "other"})
    said = words(text)
    assert "step_labels trajectories 1 4" in said
    assert "ValueError: row 7 <is> odd" in said
    assert "the engine <refused>" in said
    assert "sampling temperature 1.0 0.5" in said
    assert "/solution?run=run&amp;id=t5" in text


def test_a_problem_groups_its_solutions_by_answer(viewer):
    text = viewer.text("/problem", run="run", id="p0")
    said = words(text)
    assert "gold answer 4" in said
    assert re.search(r"4 2 2 ✓ right 0\.375 0\.38", said)  # the mean of .25 and .5
    assert re.search(r"5 1 1 ✗ wrong 0\.875 0\.88", said)
    assert "best_of_n[min] prm 5 ✗ wrong 2" in said
    assert "majority 4 policy-0 majority ✓ 4 9 0" in said


def test_picks_of_searches_stand_side_by_side(
    store, unit_of, make_problem, make_trajectory, make_viewer
):
    fill_searched(store, unit_of, make_problem, make_trajectory, strategies=("beam", "dvts"))
    said = words(make_viewer(store).text("/problem", run="run", id="p0"))
    assert "beam 4 policy-0 prm best ✓ 4 9 7 dvts 4 policy-0 prm best ✓ 4 9 7" in said
    assert "pick beam, N = 4 dvts, N = 4 best ✓ 4 ✓ 4" in said


def test_a_solution_has_its_steps_with_all_that_is_known(viewer):
    text = viewer.text("/solution", run="run", id="t2")
    said = words(text)
    assert "First error: step 1 by" in said
    assert "3 of 4" in said
    assert "0.30 to 0.95" in said
    assert "✗ wrong checker" in said
    assert "this is not the sum" in said
    assert "after step 0: 4 rollouts, 3 right" in said
    assert "calls it ✗ wrong, first error at step 1" in said
    assert "<ins> indeed</ins>" in text
    assert 'class="shade-3" title="+0.75">2 + 2' in text
    assert 'class="shade-minus-1" title="-0.25"> = 5' in text


def test_a_rollout_shows_the_steps_that_it_continues(viewer):
    said = words(viewer.text("/solution", run="run", id="r1"))
    assert "2 + 2 = 4" in said
    assert "of the row it continues" in said
    assert "rollout 1" in said


@pytest.mark.parametrize(
    ("path", "status", "expected"),
    [
        ("/solution?run=run&id=nothing", 404, "no trajectory nothing"),
        ("/problem?run=run&id=nothing", 404, "no problem nothing"),
        ("/run?run=nothing", 404, "no run nothing"),
        ("/solution?run=run", 400, "?id="),
        ("/run", 400, "?run="),
        ("/nothing", 404, "no such page"),
    ],
)
def test_what_is_not_there_is_named(viewer, path, status, expected):
    answer = viewer.get(path)
    assert answer.status_code == status
    assert expected in words(answer.text)


def test_every_link_of_every_page_leads_somewhere(viewer):
    waiting, seen = ["/", "/run?run=run&with=other"], set()
    while waiting:
        path = waiting.pop()
        answer = viewer.get(path)
        assert answer.status_code == 200, path
        for tag, attributes in Tags(answer.text).tags:
            href = attributes.get("href") or ""
            page = href.split("?")[0]
            known = len([each for each in seen if each.split("?")[0] == page])
            if tag == "a" and href.startswith("/") and href not in seen and known < 12:
                seen.add(href)
                waiting.append(href)
    pages = {path.split("?")[0] for path in seen}
    assert pages == {"/" if name == "runs" else f"/{name}" for name in PAGES}


def test_an_empty_store_has_pages(store, make_viewer):
    viewer = make_viewer(store)
    for page in ("/", "/problems", "/solutions", "/sql?statement=select+1"):
        assert viewer.get(page).status_code == 200


def test_a_damaged_file_is_named_and_the_rest_is_shown(own_viewer, unit_of, make_trajectory):
    row = [make_trajectory("bad", sample_index=9)]
    bad = unit_of("trajectories", name="eval.00009")
    own_viewer.store.commit(bad, row)
    path = own_viewer.store.root / bad.path
    path.write_bytes(path.read_bytes()[:-20])
    own_viewer.text("/")
    own_viewer.catalog.wait()
    text = own_viewer.text("/solutions", run="run")
    assert "1 damaged file left out" in text
    assert "eval.00009.parquet" in text
    assert "id=t0" in text


def test_damage_inside_a_file_is_named_and_the_rest_is_shown(own_viewer, unit_of, make_trajectory):
    rows = [make_trajectory(f"bad{n}", sample_index=n) for n in range(200)]
    bad = unit_of("trajectories", name="eval.00009")
    own_viewer.store.commit(bad, rows)
    path = own_viewer.store.root / bad.path
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(bytes(data))
    own_viewer.text("/")
    own_viewer.catalog.wait()
    text = own_viewer.text("/solutions", run="run", where="")
    assert "eval.00009.parquet" in text
    assert "id=t0" in text


def test_statements_are_limited_in_rows_and_cells(viewer):
    text = viewer.text("/sql", statement="select range as n, repeat('x', 9000) from range(1000)")
    assert "the first 200 rows" in words(text)
    assert "x" * 501 not in text
    assert "(2)" not in words(viewer.text("/sql", statement="select 1 as a, 2 as a"))


def test_answers_are_counted_and_picked_by_hand():
    rows = [
        {"trajectory_id": str(n), "answer": answer, "is_right": right, "status": "finished",
         "logprob": logprob, "sample_index": n}
        for n, (answer, right, logprob) in enumerate(
            [("5", False, -3.0), (" 4", True, -1.0), ("4", True, -2.0), (None, None, -9.0)]
        )
    ]  # fmt: skip
    scores = {"prm": {"0": [0.9, 0.9], "1": [0.5, 0.6], "2": [0.3, 0.8]}}
    groups = by_answer(rows, scores)
    assert [(each["answer"], each["votes"], each["is_right"]) for each in groups] == [
        ("4", 2, True), ("5", 1, False), (None, 1, None),
    ]  # fmt: skip
    assert groups[0]["score"]["prm"] == pytest.approx(0.4)
    picks = {each["strategy"]: each["answer"].strip() for each in picks_of(rows, scores)}
    assert picks["majority"] == "4"
    assert picks["likelihood[sum]"] == "4"
    assert picks["best_of_n[min]"] == "5"
    assert picks["weighted[last]"] == "4"  # .6 + .8 against .9
    assert picks["weighted[min]"] == "5"  # .5 + .3 against .9


def test_changes_between_texts_are_words():
    assert changes("one two three", "one 2 three four") == [
        ("same", "one "), ("gone", "two"), ("new", "2"), ("same", " three"), ("new", " four"),
    ]  # fmt: skip
    assert changes("", "") == []


def test_words_of_the_glossary_are_one_hover_away():
    shown = str(term("best_of_n[min]"))
    assert shown.startswith('<abbr title="')
    assert "verifier" in shown
    assert term("no such <word>") == "no such &lt;word&gt;"
