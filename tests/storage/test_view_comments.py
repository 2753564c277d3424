"""What views are, in the catalog and on their page; and the noise of labels by position."""

from pathlib import Path

import pytest

from schemas.rows import STEP_LABELS, TABLES, StepLabel
from storage import connect, query
from storage.view_comments import comment_of, view_comments, views_page

PAGE = Path(__file__).parents[2] / "docs" / "views.md"


def test_every_view_and_table_has_its_comment_in_the_catalog(store):
    statement = "select view_name, comment from duckdb_views() where not internal"
    found = dict(query(connect(store.url), statement).fetchall())
    assert sorted(name for name in found if not found[name]) == ["file_metadata"]
    assert found["solutions"] == view_comments()["solutions"]
    assert found["solutions"].startswith("One row per run x solution")
    assert set(TABLES) < set(found)


def test_the_page_has_the_comment_of_every_view_as_it_is():
    text = PAGE.read_text(encoding="utf-8")
    assert views_page(text) == text, (
        """python -c 'import storage.view_comments as v; v.write_page("docs/views.md")'"""
    )
    with pytest.raises(ValueError, match="expected a list between the lines"):
        views_page("# A page without markers")


def test_a_comment_is_the_head_of_a_statement():
    statement = "-- One row\n-- per run.\nselect 1 -- not this\n-- nor this"
    assert comment_of(statement) == "One row per run."
    assert all(comment.startswith("One row per ") for comment in view_comments().values())


def test_noise_of_labels_by_position_by_hand(store, unit_of):
    """Two solutions of two steps; the method is wrong once in each direction."""

    def label(trajectory, step, method, hard):
        return StepLabel(
            trajectory_id=trajectory, step_index=step, method=method, completer="p",
            evidence="answer", hard=hard,
        )  # fmt: skip

    truth = {("a", 0): True, ("a", 1): False, ("b", 0): True, ("b", 1): True}
    said = {("a", 0): True, ("a", 1): True, ("b", 0): False, ("b", 1): None}
    rows = [label(*key, "checker", hard) for key, hard in truth.items()]
    rows += [label(*key, "mc", hard) for key, hard in said.items()]
    rows.append(label("c", 0, "mc", True))  # the checker has not labelled it
    store.commit(unit_of(STEP_LABELS.name), rows)
    columns = "method, step_index, num_labels, right_by_mistake, wrong_by_mistake, noise"
    found = query(connect(store.url), f"select {columns} from label_noise order by all").fetchall()
    assert found == [("mc", 0, 2, 0, 1, 0.5), ("mc", 1, 1, 1, 0, 1.0)]
