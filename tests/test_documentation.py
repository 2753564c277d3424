"""The documentation against the code: its links, its examples of configs, and its glossary."""

import re
import tarfile
from pathlib import Path

import pytest

from flows.commands.run import read_config
from flows.registry import FLOWS
from storage import connect

PROJECT = Path(__file__).resolve().parents[1]
PAGES = [
    *sorted((PROJECT / "docs").rglob("*.md")),
    *(PROJECT / name for name in ("README.md", "RESULTS.md", "CHANGELOG.md", "CONTRIBUTING.md")),
]
FIXTURE = PROJECT / "tests" / "fixtures" / "store-v3.tar.gz"

FLOW_OF_EXAMPLE = {"line": "factory", "mine": "factory", "train": "policy_training"}
"""Flows of the examples that are not named after theirs."""
EXAMPLES = [
    pytest.param(name, text, id=f"{page.name} {name}")
    for page in PAGES
    for block in re.findall(r"```yaml\n(.*?)```", page.read_text(), flags=re.S)
    for name, text in re.findall(r"\A# (\w+)\.yaml.*?\n(.*)", block, flags=re.S)
]

NAMES = {
    "metric": "select distinct metric from metrics",
    "strategy": "select distinct strategy from metrics",
    "bin": "select distinct bin from metrics",
    "pick": "select distinct pick from decisions",
    "method": "select distinct method from step_labels",
    "status": "select status from trajectories union select status from decisions",
    "cost": "select distinct strategy from cost",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a run of the line, one of searches, one of imports and one of a loop."""
    folder = tmp_path_factory.mktemp("store")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    return folder / "store"


@pytest.fixture(scope="module")
def glossary() -> list[str]:
    """The names of tables that the glossary explains."""
    text = (PROJECT / "docs" / "glossary.md").read_text()
    heads = re.findall(r"^- (\*\*.+?\*\*): \S", text, flags=re.M)
    return [name for head in heads for name in re.findall(r"\*\*`([^`]+)`\*\*", head)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_links_lead_to_pages_and_headings(page):
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith("http"):
            continue
        path, _, heading = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), target
        assert not heading or heading in anchors(other), target


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_examples_of_configs_are_valid(name: str, text: str, tmp_path: Path):
    config = tmp_path / "config.yaml"
    config.write_text(text)
    flow = FLOW_OF_EXAMPLE.get(name, name)
    read_config(FLOWS[flow].config, config, [])


def test_there_are_examples():
    names = {example.values[0] for example in EXAMPLES}
    assert names >= {"line", "mine", "sampling", "rest", "train"}


@pytest.mark.parametrize("kind", NAMES)
def test_the_glossary_explains_every_name_of_a_store(kind, store, glossary):
    found = [name for (name,) in connect(store).execute(NAMES[kind]).fetchall()]
    assert found
    unknown = [name for name in found if not all(is_explained(p, glossary) for p in parts_of(name))]
    assert unknown == []


def test_every_promise_about_faults_names_tests_that_exist():
    page = (PROJECT / "docs" / "faults.md").read_text()
    rows = re.findall(r"^\| (.+?) \| (`tests/.+`) \|$", page, flags=re.M)
    assert len(rows) > 10
    for promise, cell in rows:
        folder = PROJECT
        for name in re.findall(r"`([^`]+)`", cell):  # a bare name is beside the one before it
            file = PROJECT / name if "/" in name else folder / name
            assert file.is_file(), f"{promise}: {name}"
            assert re.search(r"^def test_", file.read_text(), flags=re.M), f"{promise}: {name}"
            folder = file.parent


def test_the_glossary_explains_every_name_once(glossary):
    assert sorted(glossary) == sorted(set(glossary))


def anchors(page: Path) -> set[str]:
    """The headings of a page as GitHub addresses them."""
    prose = re.sub(r"```.*?```", "", page.read_text(), flags=re.S)
    headings = re.findall(r"^#+ (.*)$", prose, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


def parts_of(name: str) -> list[str]:
    """The parts of a compound name: a search and its pick, a bin and its fold.

    The role of a search's row, written after the search, is not one of them.
    """
    without_role = re.sub(r" (ahead|judge)$", "", name)
    return re.split(r"/|,(?=fold=|level=)", without_role)


def is_explained(name: str, glossary: list[str]) -> bool:
    """Whether an entry is the name, or is it without its setting, value or k."""
    base = re.sub(r"@\d+$", "@k", re.split(r"[\[=]", name, maxsplit=1)[0])
    return name in glossary or base in glossary
