"""Names in tables, and that the glossary explains every one of them."""

import re
from pathlib import Path

import pytest

from flows.tables.figures import best_words, figure_words
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


def test_the_last_sentence_names_the_best_at_the_largest_budget():
    rows = [
        figure("pass", 0.99),
        figure("majority", 0.5),
        figure("weighted[min]", 0.75, ci_low=0.7, ci_high=0.8),
        figure("best_of_n[min]", 0.9, budget=4),
        figure("beam", 0.95, pick="majority"),
        figure("weighted[min]", 0.9, bin="level=1"),
        figure("weighted[min]", 0.1, "gain_over", against="likelihood[sum]"),
        figure("weighted[min]", 0.25, "gain_over", against="majority", ci_low=0.2, ci_high=0.3),
    ]
    assert best_words(rows) == (
        "Best at N = 16: weighted[min] with 0.750 (.70-.80), "
        "+0.250 (+0.20..+0.30) against majority, 200 problems."
    )
    with pytest.raises(ValueError, match="expected accuracies, got none among 0 figures"):
        best_words([])


def test_a_sentence_says_when_the_baseline_is_best():
    rows = [
        figure("best_of_n", 0.75),
        figure("beam", 0.5),
        figure("beam", -0.25, "gain_over", against="best_of_n"),
    ]
    assert best_words(rows) == (
        "Best at N = 16: best_of_n with 0.750, which is what gains are over, 200 problems."
    )


def test_figures_are_rounded_as_what_they_are():
    assert figure_words(None) == ""
    assert figure_words(figure("a", 0.5, ci_low=0.4, ci_high=1.0)) == "0.500 (.40-1.00)"
    assert figure_words(figure("a", 1234.5, "generated_tokens")) == "1,234"
    assert figure_words(figure("a", 57.0, "audited_steps")) == "57"
    assert figure_words(figure("a", -0.125, "gain_over")) == "-0.125"
