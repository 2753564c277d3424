"""A run's pages as plain files: whole, of that run alone, with links that lead to files."""

import pytest

from flows.view.bundle import write_bundle
from tests.flows.view.test_guard import Tags
from tests.flows.view.test_pages import words

_ADDRESSES = ("href", "src", "action")


@pytest.fixture(scope="module")
def made():
    return {}


@pytest.fixture
def bundle(filled, made, tmp_path_factory):
    if not made:
        folder = tmp_path_factory.mktemp("bundle") / "made"
        made["num"] = write_bundle(filled.url, folder, "run", 1)
        made["folder"] = folder
    return made["folder"]


def test_every_link_is_to_a_file_of_the_bundle(bundle, made):
    pages = sorted(bundle.glob("*.html"))
    assert len(pages) == made["num"]
    assert {path.name for path in bundle.iterdir()} - {page.name for page in pages} == {
        "view.css", "view.js",
    }  # fmt: skip
    linked = {"index.html"}
    for page in pages:
        for tag, attributes in Tags(page.read_text()).tags:
            assert tag != "form"
            for name in _ADDRESSES:
                address = attributes.get(name)
                if address and address != "data:,":
                    place, _, anchor = address.partition("#")
                    assert anchor == "main" if not place else (bundle / place).is_file()
                    linked.add(place)
            assert "data-live" not in attributes
    assert {page.name for page in pages} <= linked


def test_it_has_the_run_with_its_first_problems_and_nothing_of_others(bundle):
    index = words((bundle / "index.html").read_text())
    assert index.startswith("run · stepmill")
    assert "ValueError: row 7 <is> odd" in index
    problems = words((bundle / "problems.html").read_text())
    assert "The first 1 of 2 problems." in problems
    assert "2 + 2 is what?" in problems
    titles = [words(page.read_text()) for page in bundle.glob("solution-*.html")]
    assert sum(title.startswith("hostile ") for title in titles) == 1
    assert not any(title.startswith(("t4 ", "o ", "r1 ")) for title in titles)
    whole = next(title for title in titles if title.startswith("t2 "))
    assert "rollout 1" in whole
    assert "Elsewhere" not in whole
    everything = "".join(page.read_text() for page in bundle.glob("*.html"))
    assert "?run=other" not in everything
    assert "\x1b" not in everything
    assert "<script>alert" not in everything


def test_what_cannot_be_exported_is_refused_and_leaves_nothing(filled, tmp_path):
    with pytest.raises(ValueError, match="no run nothing"):
        write_bundle(filled.url, tmp_path / "new", "nothing", 1)
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="expected a new folder"):
        write_bundle(filled.url, tmp_path / "there", "run", 1)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
