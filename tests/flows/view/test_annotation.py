"""Hand labels: who may write, what is written, that nothing is lost, and how others agree."""

import re
import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.testclient import TestClient

from flows.view.annotation import Annotator, _commit
from flows.view.app import make_app
from flows.view.guard import Access
from flows.view.site import Site
from schemas.rows import StepLabel
from schemas.unit_names import SolutionsName, misnamed
from storage import Store, connect, query
from storage.compaction import compact
from storage.viewing import LiveCatalog
from tests.flows.view.conftest import Viewer
from tests.flows.view.test_guard import Tags
from tests.flows.view.test_pages import words

OWN = {"origin": "http://127.0.0.1:8400", "sec-fetch-site": "same-origin"}


class Writing(Viewer):
    """A viewer with forms."""

    annotator: Annotator

    def post(self, path, headers=OWN, token=None, **fields):
        fields = {"token": self.annotator.token if token is None else token, **fields}
        return self.client.post(path, data=fields, headers=headers)

    def sql(self, statement):
        with connect(self.store.url) as connection:
            return query(connection, statement).fetchall()


@pytest.fixture
def writing(filled, tmp_path) -> Writing:
    """A viewer of a copy, with forms in the name of Ada."""
    shutil.copytree(filled.root, tmp_path / "store")
    store = Store(tmp_path / "store")
    catalog, annotator = LiveCatalog(store.url), Annotator("Ada L.")
    app = make_app(catalog, Site(store.url, annotator), Access("127.0.0.1", 8400))
    client = TestClient(app, base_url="http://127.0.0.1:8400", follow_redirects=False)
    viewer = Writing(client, store, catalog)
    viewer.annotator = annotator
    return viewer


LABELS = "select step_index, hard, completer, evidence from {} where method = 'human' order by all"
T2 = {"run": "run", "id": "t2"}


def test_without_annotate_there_are_no_forms_and_no_routes(viewer):
    text = viewer.text("/solution", **T2)
    assert "<form" not in text.split("</header>")[1]
    for path in ("/mark-steps", "/mark-grade"):
        assert viewer.get(path).status_code == 404
        assert viewer.client.post(path, data=T2, headers=OWN).status_code == 404


def test_marks_are_rows_with_who_and_when_and_the_newest_counts(writing):
    before = {path: path.read_bytes() for path in writing.store.root.rglob("*.parquet")}
    marks = {"step-0": "wrong", "step-1": "none"}
    answer = writing.post("/mark-steps", **T2, **marks)
    assert (answer.status_code, answer.headers["location"]) == (
        303, "/solution?run=run&id=t2#steps",
    )  # fmt: skip
    assert writing.sql(LABELS.format("step_labels")) == [(0, False, "Ada L.", "human")]
    text = writing.text("/solution", **T2)
    assert 'name="step-0" value="wrong" checked' in text
    assert "step 0 by human" in words(text)
    writing.post("/mark-steps", **T2, **marks)  # says nothing new
    assert len(writing.sql(LABELS.format("step_labels"))) == 1
    writing.post("/mark-steps", **T2, **{"step-0": "right", "step-1": "wrong"})
    writing.post("/mark-steps", **T2, **{"step-0": "none"})
    assert writing.sql(LABELS.format("current_labels")) == [
        (0, None, "Ada L.", "human"), (1, False, "Ada L.", "human"),
    ]  # fmt: skip
    assert writing.sql("select count(*), count(created_at) from step_labels")[0][1] == 4
    assert 'name="step-0" value="none" checked' in writing.text("/solution", **T2)
    new = {path for path in writing.store.root.rglob("*.parquet")} - before.keys()
    assert all(path.read_bytes() == data for path, data in before.items())
    names = sorted(path.relative_to(writing.store.root).as_posix() for path in new)
    folder = "step_labels/run_id=run/stage=step_labels"
    assert names == [f"{folder}/eval.00000-{n:03d}-human.parquet" for n in range(3)]
    assert [misnamed(name) for name in names] == [None] * 3
    others = "select count(*) from current_labels where method <> 'human'"
    assert writing.sql(others) == [(3,)]


def test_of_marks_that_are_written_at_once_none_is_lost(store):
    labels = [
        StepLabel(trajectory_id=str(n), step_index=0, method="human", completer="a",
                  evidence="human", hard=True)
        for n in range(12)
    ]  # fmt: skip
    about = SolutionsName.parse("eval.00000")
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda row: _commit(store, "run", "step_labels", about, [row]), labels))
    with connect(store.url) as connection:
        found = query(connection, "select count(distinct trajectory_id) from step_labels")
        assert found.fetchall() == [(12,)]


def test_a_grade_that_a_person_calls_mistaken_counts_until_the_next_grading(writing):
    assert writing.post("/mark-grade", **T2, grade="right").status_code == 303
    assert writing.sql("select grader, correct from graded where trajectory_id = 't2'") == [
        ("human[Ada L.]", True)
    ]
    said = words(writing.text("/solution", **T2))
    assert "Solution ✓ right" in said
    assert "human[Ada L.] 5 ✓ right" in said
    writing.post("/mark-grade", **T2, grade="wrong")
    graded = "select correct from graded where trajectory_id = 't2'"
    assert writing.sql(graded) == [(False,)]
    assert writing.post("/mark-grade", run="run", id="r1", grade="right").status_code == 303
    names = [path.stem for path in (writing.store.root / "verdicts").rglob("*.parquet")]
    assert sorted(name.rsplit("-", 1)[0] for name in names) == [
        "eval.00000-000", "eval.00000-000-000", "eval.00000-001",
    ]  # fmt: skip


def test_rows_in_folded_files_are_marked_under_their_units_names(writing):
    compact(writing.store)
    writing.catalog.look()
    assert writing.post("/mark-steps", **T2, **{"step-1": "wrong"}).status_code == 303
    path = "step_labels/run_id=run/stage=step_labels/eval.00000-000-human.parquet"
    assert (writing.store.root / path).is_file()


def test_agreement_is_counted_by_hand(writing):
    writing.post("/mark-steps", **T2, **{"step-0": "wrong", "step-1": "wrong"})
    writing.post("/mark-steps", run="run", id="t0", **{"step-0": "right", "step-1": "wrong"})
    writing.post("/mark-grade", **T2, grade="right")
    said = words(writing.text("/annotations", run="run"))
    assert re.search(r"steps checker 1 1 of 1 1 of 1 0 0", said)
    # rollouts call step 0 right and step 1 wrong
    assert re.search(r"steps monte_carlo\[n=4\] 2 1 of 2 1 of 2 1 0", said)
    # prm: .9, .875 against two wrong; .5, .25 against right and wrong
    assert re.search(r"steps prm 4 2 of 4 2 of 4 2 0", said)
    assert re.search(r"solutions \S+ 1 0 of 1 0 of 1 0 1", said)
    assert re.search(r"t2 0 2 ✓ right Ada L\.", said)
    assert "Nobody has marked" in words(writing.text("/annotations", run="other"))


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({}, None),
        ({"origin": "http://evil.example"}, None),
        ({"origin": "null"}, None),
        ({**OWN, "sec-fetch-site": "same-site"}, None),
        ({**OWN, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate"}, None),
        ({**OWN, "sec-fetch-site": "none"}, None),
        (OWN, ""),
        (OWN, "another"),
    ],
)
def test_only_the_viewers_own_forms_write(writing, headers, token):
    fields = {**T2, "step-0": "wrong", "grade": "right"}
    for path in ("/mark-steps", "/mark-grade"):
        assert writing.post(path, headers, token, **fields).status_code == 403
    assert not list(writing.store.root.rglob("*human*"))
    assert not (writing.store.root / "verdicts").exists()


@pytest.mark.parametrize(
    ("path", "fields", "expected"),
    [
        ("/mark-steps", {**T2, "step-0": "perhaps"}, "expected right, wrong, none"),
        ("/mark-steps", {**T2, "step-2": "right"}, "expected one of 2 steps"),
        ("/mark-steps", {**T2, "step--1": "right"}, "expected a field step-NUMBER"),
        ("/mark-steps", {"run": "run", "id": "r1", "step-0": "right"}, "got a rollout"),
        ("/mark-steps", {"run": "run", "id": "none", "step-0": "right"}, "no trajectory none"),
        ("/mark-grade", {**T2, "grade": "none"}, "expected right or wrong"),
        ("/mark-grade", {"run": "run", "id": "t5", "grade": "right"}, "with status error"),
    ],
)
def test_what_cannot_be_said_is_refused_with_a_reason(writing, path, fields, expected):
    answer = writing.post(path, **fields)
    assert answer.status_code in (400, 404)
    assert expected in words(answer.text)
    assert not list(writing.store.root.rglob("*human*"))


def test_what_is_no_form_is_refused(writing):
    for content, kind, status in (
        (b"{}", "application/json", 415),
        (b"step-0=right&" * 20_000, "application/x-www-form-urlencoded", 413),
        (b"a=\xff", "application/x-www-form-urlencoded", 400),
    ):
        headers = {**OWN, "content-type": kind}
        answer = writing.client.post("/mark-steps", content=content, headers=headers)
        assert answer.status_code == status


def test_a_hostile_name_is_no_name():
    for name in ("", " ", "a\nb", "a" * 61, "<b>", "x]", "\u202eevil"):
        with pytest.raises(ValueError, match="expected a name"):
            Annotator(name)
    assert Annotator("Ada L.").token != Annotator("Ada L.").token


def test_the_forms_have_the_names_of_their_steps(writing):
    tags = Tags(writing.text("/solution", **T2)).tags
    names = {a.get("name") for tag, a in tags if tag == "input" and a.get("type") == "radio"}
    assert names == {"step-0", "step-1"}
    assert "your" not in writing.text("/solution", run="run", id="r1")
    assert 'action="/mark-steps"' not in writing.text("/solution", run="run", id="r1")
