"""Names in tables, and that the glossary explains every one of them."""

import re
from pathlib import Path

import pytest

from flows.tables.figures import figure_words
from flows.tables.names import shown_names
from schemas.rows import Metric

GLOSSARY = Path(__file__).parents[3] / "docs" / "glossary.md"


def figure(strategy: str, value: float, metric: str = "accuracy", **fields) -> Metric:
    values = {
        "policy": "pol",
        "verifier": None,
        "budget": 16,
        "bin": "all",
        "ci_low": None,
        "ci_high": None,
        "num_problems": 200,
    }
    return Metric(strategy=strategy, value=value, metric=metric, **{**values, **fields})


@pytest.mark.xfail(not GLOSSARY.exists(), reason="the glossary is not written yet", strict=True)
def test_the_glossary_has_an_entry_for_every_name_that_a_table_shows():
    """An entry is a heading or a bold term that holds the name, with or without backquotes."""
    text = GLOSSARY.read_text(encoding="utf-8")
    entries = re.findall(r"^#+\s+(.+)$", text, re.MULTILINE) + re.findall(r"\*\*(.+?)\*\*", text)
    terms = {part.strip(" `") for entry in entries for part in entry.split(",")}
    assert sorted(set(shown_names()) - terms) == []


def test_names_are_listed_once():
    names = shown_names()
    assert len(names) == len(set(names))
    assert {"best_of_n", "weighted", "min", "beam", "compute_optimal", "step AUC"} <= set(names)


def test_figures_are_rounded_as_what_they_are():
    assert figure_words(None) == ""
    assert figure_words(figure("a", 0.5, ci_low=0.4, ci_high=1.0)) == "0.500 (.40-1.00)"
    assert figure_words(figure("a", 1234.5, "generated_tokens")) == "1,234"
    assert figure_words(figure("a", 57.0, "audited_steps")) == "57"
    assert figure_words(figure("a", -0.125, "gain_over")) == "-0.125"
