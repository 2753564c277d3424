"""Tables with filters in SQL: pages by key, facets, histograms, words."""

import html
import json
import re

import pytest

from flows.view.listing import groups_of_runs, narrow
from storage import connect, query
from tests.flows.view.conftest import Viewer


def ids(text):
    return re.findall(r'/solution\?run=run&amp;id=([^"]+)"', text)


def statement(text):
    return html.unescape(re.findall(r'<pre tabindex="0"><code>(select.*?)</code>', text, re.S)[0])


def next_page(text):
    found = re.search(r'<a rel="next" href="([^"]+)"', text)
    return None if found is None else html.unescape(found[1])


def test_a_filter_in_sql_keeps_the_rows_that_fit(viewer):
    assert ids(viewer.text("/solutions", where="answer = '5'")) == ["t2"]
    assert ids(viewer.text("/solutions", where="role = 'rollout' and not is_right")) == ["r3"]


def test_solutions_of_a_run_are_those_that_a_policy_was_asked_for(viewer):
    assert ids(viewer.text("/solutions", run="run")) == ["hostile", "t0", "t1", "t2", "t4", "t5"]
    assert ids(viewer.text("/solutions", run="other")) == []


def test_the_statement_shown_gives_the_same_rows_elsewhere(viewer):
    shown = statement(viewer.text("/solutions", where="level = 1 or level = 3", order="longest"))
    rows = query(connect(viewer.store.url), shown).fetchall()
    assert [row[1] for row in rows][:2] == ["t2", "t1"]


def test_words_are_found_in_texts_whatever_their_case(viewer):
    assert ids(viewer.text("/solutions", where="", text="ROLLOUT 2")) == ["r2"]
    assert ids(viewer.text("/solutions", where="", text="it's not there")) == []
    assert "p0" in viewer.text("/problems", text="is WHAT")


def test_what_has_certain_words_is_counted_when_asked(viewer):
    found = {"where": "role is null", "text": "2 + 2"}
    text = viewer.text("/solutions", **found)
    assert "<h3>" not in text
    assert "<strong>9</strong> rows · <a" in text
    counted = re.search(r'href="([^"]+counted=1)"', text)
    assert counted is not None
    text = viewer.get(html.unescape(counted[1])).text
    assert "<strong>9</strong> rows</p>" in text
    assert "<h3>" in text


def test_facets_count_the_rows_that_fit_and_narrow_them(viewer):
    text = viewer.text("/solutions", run="run")
    (href,) = re.findall(r'<a href="([^"]+)">3</a> <span class="n">2</span>', text)
    narrowed = viewer.get(html.unescape(href)).text
    assert ids(narrowed) == ["t4", "t5"]
    assert "<strong>2</strong> rows" in narrowed


def test_a_bar_of_the_histogram_holds_its_rows(viewer):
    text = viewer.text("/solutions", run="run")
    bars = re.findall(r'<a href="([^"]+)"><title>(\d+) to (\d+): (\d+)</title>', text)
    assert [(low, high, num) for _, low, high, num in bars] == [
        ("8", "16", "4"), ("16", "32", "0"), ("32", "64", "1"), ("64", "128", "1"),
    ]  # fmt: skip
    assert ids(viewer.get(html.unescape(bars[2][0])).text) == ["t1"]


def test_scores_of_a_verifier_are_joined_ordered_and_counted(viewer):
    text = viewer.text("/solutions", run="run", scores="prm", order="highest")
    assert ids(text) == ["t2", "t1", "t0"]
    assert ids(viewer.text("/solutions", where="min_score > 0.4", scores="prm")) == ["t1", "t2"]
    assert "0.2 to 0.3: 1" in text


@pytest.fixture
def long(store, unit_of, make_trajectory, make_viewer) -> Viewer:
    rows = [
        make_trajectory(f"t{n:03d}", generated_tokens=n // 40, sample_index=n) for n in range(130)
    ]
    store.commit(unit_of("trajectories", name="eval.00000"), rows)
    return make_viewer(store, look_every_s=1e9)


@pytest.mark.parametrize("order", ["id", "longest", "shortest", "problem", "newest"])
def test_pages_by_key_have_every_row_once(long, order):
    text, seen = long.text("/solutions", order=order), []
    for _ in range(9):
        seen += ids(text)
        if (following := next_page(text)) is None:
            break
        text = long.get(following).text
    assert sorted(seen) == [f"t{n:03d}" for n in range(130)]
    lengths = [int(name[1:]) // 40 for name in seen]
    if order in ("longest", "shortest"):
        assert lengths == sorted(lengths, reverse=order == "longest")


def test_runs_are_looked_at_in_ranges_that_grow_by_their_files():
    files = [("a", 60), ("b", 10), ("c", 200), ("d", 100), ("e", 1)]
    assert groups_of_runs(files, "") == [("a", "b"), ("c", "d"), ("e", "e")]
    assert groups_of_runs(files, "b") == [("b", "c"), ("d", "e")]
    assert groups_of_runs(files, "z") == []


def test_pages_by_id_go_on_from_run_to_run(
    store, unit_of, make_trajectory, make_viewer, monkeypatch
):
    monkeypatch.setattr("flows.view.listing._FIRST_FILES", 1)
    expected = []
    for run_id, num_rows in (("a", 30), ("b", 0), ("c", 60), ("d", 20)):
        names = [f"{run_id}{n:02d}" for n in range(num_rows)]
        expected += [(run_id, name) for name in names]
        rows = [make_trajectory(name, sample_index=n) for n, name in enumerate(names)]
        store.commit(unit_of("trajectories", name="eval.00000", run_id=run_id), rows)
    viewer, seen, pages = make_viewer(store, look_every_s=1e9), [], []
    text = viewer.text("/solutions", where="status = 'finished'")
    for _ in range(4):
        found = re.findall(r'/solution\?run=([^&"]+)&amp;id=([^"]+)"', text)
        pages.append(len(found))
        seen += found
        if (following := next_page(text)) is None:
            break
        text = viewer.get(following).text
    assert pages == [50, 50, 10]
    assert seen == expected


@pytest.mark.parametrize("after", ["x", "{}", "[1]", "[[1], 2]", json.dumps(["a", "b", "c"])])
def test_a_place_that_no_page_has_is_said_to_be_wrong(long, after):
    answer = long.get("/solutions", params={"after": after})
    assert answer.status_code == 400
    assert "expected" in answer.text


def test_an_order_that_does_not_exist_is_named_with_those_that_do(long):
    answer = long.get("/solutions", params={"order": "id; drop"})
    assert answer.status_code == 400
    assert "longest, shortest" in answer.text


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "a = 1"),
        ("b", "b and a = 1"),
        ("b or c", "(b or c) and a = 1"),
        ("ordered", "ordered and a = 1"),
    ],
)
def test_a_condition_is_added_to_the_whole_filter(where, expected):
    assert narrow(where, "a = 1") == expected


def test_problems_say_how_often_they_are_solved(viewer):
    text = viewer.text("/problems", run="run", order="hardest")
    assert "2 of 4" in text
    assert "0 of 1" in text
    only = viewer.text("/problems", where="solve_rate = 0.5")
    assert "id=p0" in only
    assert "id=p1" not in only
