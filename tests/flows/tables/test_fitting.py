"""No terminal is so narrow that a number is cropped or a column vanishes."""

import io
import re

import pytest
from rich.box import SIMPLE_HEAD
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from flows.tables.accuracies import accuracy_summary
from flows.tables.fitting import FittingConsole, share_width
from flows.tables.output import cell_words, relation_table
from flows.tables.searches import search_summary
from schemas.rows import Metric

_WIDTHS = [20, 40, 60, 80, 120, 200]
_LONG = "a-verifier-whose-name-has-no-place-to-break-because-it-is-one-word-of-eighty-letters"


def _metric(strategy, budget, metric, value, low=None, high=None):
    return Metric(
        set_name="eval", policy="p", verifier="v", strategy=strategy, budget=budget, bin="all",
        metric=metric, value=value, ci_low=low, ci_high=high, num_problems=300,
        against="majority" if metric == "gain_over" else None,
    )  # fmt: skip


def _searches():
    for strategy in ("beam[width=4]", "compute_optimal", "best_of_n[prod]"):
        for budget in (4, 16, 64, 256):
            yield _metric(strategy, budget, "accuracy", 0.1234 + budget / 1000, 0.111, 0.987)
            yield _metric(strategy, budget, "gain_over", 0.0123 * budget / 100, -0.012, 0.345)
            yield _metric(strategy, budget, "generated_tokens", 1234567.0 + budget)
            yield _metric(strategy, budget, "scored_tokens", 7654321.0 + budget)
            yield _metric(strategy, budget, "engine_s", 1.5)


def _print(table, width):
    file = io.StringIO()
    FittingConsole(width=width, file=file, force_terminal=True, color_system=None).print(table)
    return file.getvalue()


def _numbers(text):
    return sorted(re.findall(r"[-+]?[\d,]*\.?\d+(?:(?:\.\.|-)[-+]?\d*\.\d+)?", text))


@pytest.mark.parametrize("width", [60, 80, 200])
@pytest.mark.parametrize("of", [search_summary, accuracy_summary])
def test_every_number_of_a_result_is_whole_at_every_width(of, width):
    metrics = list(_searches())
    wide, shown = _print(of(metrics), 10_000), _print(of(metrics), width)
    assert max(map(len, shown.splitlines())) <= width
    assert "…" not in shown
    for metric in metrics:
        if metric.metric == "accuracy":
            assert f"{metric.value:.3f}" in shown
    assert set(_numbers(wide)) <= set(_numbers(shown))


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("num_columns", [1, 3, 9, 30])
def test_every_cell_of_a_query_is_there_at_every_width(width, num_columns):
    names = [f"column_{index}" for index in range(num_columns)]
    rows = [[f"{row}{index:03d}5.25" for index in range(num_columns)] for row in (1, 2, 3)]
    shown = _print(relation_table(names, rows), width)
    assert all(len(line) <= width for line in shown.splitlines())
    words = re.split(r"[\s│┃]+", shown)
    for row in rows:
        assert all(words.count(cell) == 1 for cell in row)
    assert "…" not in shown


@pytest.mark.parametrize("width", [30, 60])
def test_a_word_longer_than_the_terminal_is_folded_beside_whole_numbers(width):
    shown = _print(relation_table(["0", "1"], [[_LONG, 1234567]]), width)
    assert _LONG in re.sub(r"[\s│┃01]", "", shown)
    assert "1234567" in shown


def test_a_table_that_fits_is_left_as_it_is():
    table = Table(box=SIMPLE_HEAD)
    table.add_column("n", justify="right")
    table.add_row("1")
    table.add_row("23")
    lines = [line.strip() for line in _print(table, 60).splitlines()]
    assert [line for line in lines if line and "─" not in line] == ["n", "1", "23"]


def test_spare_width_goes_to_text_and_never_from_a_number():
    # 20 + 7 + 7 characters are minimal, 16 are spare; the first column could use 80 more.
    limits = [Measurement(20, 100), Measurement(7, 7), Measurement(7, 10)]
    assert share_width(limits, 50) == [33, 7, 10]
    assert share_width(limits, 34) == [20, 7, 7]


def test_upright_rows_leave_out_empty_cells():
    shown = _print(relation_table(["a" * 20, "b" * 20], [["x" * 20, None]]), 30)
    assert "b" not in shown
    assert "x" * 10 in shown


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.123456789, "0.1235"),
        (12345.678912, "12345.6789"),
        (1234567890123456789, "1234567890123456789"),
        (1.5, "1.5"),
        (17043.0, "17043.0"),
        (0.00001234567, "1.235e-05"),
        (float("nan"), "nan"),
        (None, ""),
        (True, "True"),
    ],
)
def test_a_fraction_is_rounded_and_a_count_never(value, words):
    assert cell_words(value) == words


def test_numbers_are_on_the_right_and_texts_and_flags_on_the_left():
    table = relation_table(["n", "flag", "text"], [[1, True, "a"], [None, None, None]])
    assert [column.justify for column in table.columns] == ["right", "left", "left"]
    assert isinstance(table.columns[0].header, Text)
