"""Measured relations in words, in the table of RESULTS.md, and beside such a page."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.tables.relations import (
    _here_words,
    common_verdict,
    known_relations,
    markdown_lines,
    number_words,
    relations_json,
    rows_that_count,
    sentence,
    side_words,
)
from flows.tables.results_page import printed, publish, read_rows, table_of
from schemas.experiments import experiment_configs
from schemas.rows import MeasuredRelation

PROJECT = Path(__file__).parents[3]
RESULTS, ROWS = PROJECT / "RESULTS.md", PROJECT / "docs" / "results" / "relations.jsonl"
DAY = datetime(2026, 1, 1, tzinfo=UTC)
EMPTY_PAGE = "# Results\n\n<!-- relations: begin -->\nold\n<!-- relations: end -->\n\nmore\n"


def row(point="above the first policy", **fields):
    """A row of `rest_improves`."""
    values = {
        "experiment": "rest",
        "relation": "rest_improves",
        "claim": "ReST improves a policy on its own right solutions",
        "paper": "ReST, arXiv:2308.08998",
        "published": "no figure",
        "larger": "after",
        "larger_value": 0.8478,
        "larger_low": 0.82,
        "larger_high": 0.87,
        "smaller": "before",
        "smaller_value": 0.45,
        "smaller_low": 0.41,
        "smaller_high": 0.49,
        "difference": 0.3978,
        "difference_low": 0.363,
        "difference_high": 0.431,
        "verdict": "holds",
        "rule": "paired by problem, bootstrap",
        "num_units": 200,
        "size": "whole",
        "seed": 0,
        "command": "stepmill experiment rest",
        "details": "loops.md#rest",
        "created_at": DAY,
    }
    return MeasuredRelation(point=point, **{**values, **fields})


CONTROL = "above as many unfiltered rows"


@pytest.mark.parametrize(
    ("value", "signed", "words"),
    [
        (0.8567, False, ".857"),
        (1.0, False, "1.000"),
        (-0.041, True, "\u2212.041"),
        (0.041, True, "+.041"),
        (1234.4, False, "1,234"),
        (None, True, ""),
    ],
)
def test_a_number_in_words(value, signed, words):
    assert number_words(value, signed=signed) == words


def test_a_side_has_its_interval_unless_it_has_no_width():
    assert side_words(0.8478, 0.82, 0.874) == ".848 (.82\u2013.87)"
    assert side_words(0.7, 0.7, 0.7) == ".700"
    assert side_words(0.7, None, None) == ".700"


def test_a_sentence_says_both_figures_the_difference_and_the_rule():
    assert sentence(row()) == (
        "ReST improves a policy on its own right solutions, above the first policy (ReST, "
        "arXiv:2308.08998): holds: after .848 (.82\u2013.87), before .450 (.41\u2013.49); +.398 "
        "(+.363, +.431) [paired by problem, bootstrap over 200]."
    )
    no_verdict = row(verdict=None, reason="before: run x has no arm 'rest'")
    assert sentence(no_verdict).endswith(": no verdict, before: run x has no arm 'rest'.")


def test_the_row_that_counts_is_measured_whole_and_new():
    later = DAY.replace(month=2)
    old, new = row(), row(created_at=later)
    quick = row(size="quick", created_at=later.replace(month=3))
    empty = row(verdict=None, created_at=later.replace(month=4))
    said = row(verdict=None, said="holds", created_at=DAY.replace(year=2025))
    key = ("rest", "rest_improves", "above the first policy")
    assert rows_that_count([new, old, quick, empty, said]) == {key: [new]}
    assert rows_that_count([quick, said]) == {key: [said]}
    assert rows_that_count([empty, quick]) == {key: [quick]}


def test_each_seed_has_a_row_that_counts():
    later = DAY.replace(month=2)
    old, first = row(seed=1), row(seed=1, created_at=later)
    second, quick = row(seed=2), row(seed=3, size="quick", created_at=later)
    said = row(said=".45 to .86", seed=0, created_at=DAY.replace(year=2025))
    key = ("rest", "rest_improves", "above the first policy")
    assert rows_that_count([second, first, old, quick, said]) == {key: [first, second]}
    assert rows_that_count([quick]) == {key: [quick]}


@pytest.mark.parametrize(
    ("verdicts", "common"),
    [
        (["holds", "holds"], "holds"),
        (["holds", "within the noise"], "within the noise"),
        (["holds", "does not hold"], "within the noise"),
        (["does not hold"], "does not hold"),
        ([None], None),
    ],
)
def test_a_verdict_is_that_of_every_seed(verdicts, common):
    assert common_verdict([row(verdict=each) for each in verdicts]) == common


@pytest.mark.parametrize(
    ("differences", "verdict", "mean"),
    [
        # Mean .026, half width t(3) 3.182446 x .023810 / 2 = .037887.
        ([0.060, 0.009, 0.010, 0.026], "within the noise", "mean +.026 (\u2212.012, +.064)"),
        # Mean .041, half width t(3) 3.182446 x .022765 / 2 = .036225.
        ([0.058, 0.010, 0.037, 0.058], "holds", "mean +.041 (+.005, +.077)"),
    ],
)
def test_from_three_seeds_up_the_mean_decides(differences, verdict, mean):
    seeds = [row(seed=i, difference=value) for i, value in enumerate(differences)]
    assert common_verdict(seeds) == verdict
    assert _here_words([seeds]).endswith(f", {mean}")


def test_a_point_names_its_difference_at_each_seed():
    other = row(seed=2, difference=0.01, difference_low=-0.02, verdict="within the noise")
    words = ".848 (.82\u2013.87) against .450 (.41\u2013.49), +.398 (+.363, +.431)"
    assert _here_words([[row(), other]]) == (
        f"**within the noise**: above the first policy: {words}, at seed 2 "
        "+.010 (\u2212.020, +.431)"
    )


def test_a_claim_is_one_line_with_its_points_by_verdict():
    noise = row(CONTROL, difference=0.01, difference_low=-0.02, verdict="within the noise")
    lines = list(markdown_lines([row(), noise]))
    assert lines[2:] == [
        "| **Self-improvement** | | | |",
        "| ReST improves a policy on its own right solutions (ReST, arXiv:2308.08998) | **holds**: "
        "above the first policy: .848 (.82\u2013.87) against .450 (.41\u2013.49), +.398 (+.363, "
        "+.431); **within the noise**: above as many unfiltered rows: .848 (.82\u2013.87) against "
        ".450 (.41\u2013.49), +.010 (\u2212.020, +.431) | [loops](docs/results/loops.md#rest) | "
        "`rest` |",
    ]


def test_a_claim_with_many_points_is_summed_up():
    points = [
        (relation.point, index)
        for index, relation in enumerate(
            each
            for each in experiment_configs()["critique_in_the_loop"]().relations()
            if each.name == "critic_in_the_loop"
        )
    ]
    assert len(points) == 6
    rows = [
        row(
            point,
            experiment="critique_in_the_loop",
            relation="critic_in_the_loop",
            difference=index / 10,
            difference_low=index / 10 - 0.15,
            difference_high=index / 10 + 0.15,
            verdict="holds" if index > 1 else "within the noise",
        )
        for point, index in points
    ]
    # Six points stand as they are.
    assert list(markdown_lines(rows))[-1].count(" against ") == 6
    seventh = replace(rows[-1], point="seventh", difference=0.9)
    words = _here_words([[each] for each in (*rows, seventh)])
    assert words == (
        "**within the noise** at 2 of 7 points, +.000 (\u2212.150, +.150) (above without a critic, "
        "round 1) to +.100 (\u2212.050, +.250) (above as many rows, round 1); **holds** at 5 of 7 "
        "points, +.200 (+.050, +.350) (above without a critic, round 2) to +.900 (+.350, +.650) "
        "(seventh)"
    )


def test_what_a_page_said_is_marked_and_printed_as_it_stands():
    told = [row(said=".45 to .86", verdict=None), row(CONTROL, said=".45 to .86", verdict=None)]
    assert "| **no verdict**: .45 to .86 \u2020 |" in list(markdown_lines(told))[-1]


def test_publishing_keeps_what_is_not_measured_anew(tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text(EMPTY_PAGE)
    assert publish(page, [row(), row(CONTROL)]) == 2
    newer = row(difference=0.5, created_at=DAY.replace(month=2))
    unmeasured = row(CONTROL, difference=None, verdict=None, created_at=newer.created_at)
    assert publish(page, [newer, unmeasured]) == 2
    rows = read_rows(tmp_path / "docs/results/relations.jsonl")
    assert [(each.point, each.difference) for each in rows] == [
        ("above the first policy", 0.5),
        (CONTROL, 0.3978),
    ]
    text = page.read_text()
    assert text.startswith("# Results\n\n<!-- relations: begin -->\n| published |")
    assert text.endswith("|\n<!-- relations: end -->\n\nmore\n")
    assert table_of(page) == printed(rows)


def test_the_published_table_is_that_of_the_written_rows(tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text(EMPTY_PAGE)
    publish(page, [row(difference=0.0625000001)])  # in itself .063, written as .0625, which is .062
    assert ", +.062 (" in table_of(page)
    assert table_of(page) == printed(read_rows(tmp_path / "docs/results/relations.jsonl"))


def test_a_relation_without_both_sides_is_not_published(tmp_path):
    page = tmp_path / "RESULTS.md"
    page.write_text(EMPTY_PAGE)
    assert publish(page, [row(difference=None, verdict=None)]) == 0
    assert publish(page, [replace(row(), relation="renamed")]) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("no json", "line 2: expected a relation"),
        ("[]", r"line 2: expected a relation: got \[\]"),
        ('{"claims": 1}', "line 2: expected a relation: unknown columns claims"),
        (
            '{"experiment": "rest", "created_at": "2026-01-01"}',
            "line 2: expected a relation: .*miss",
        ),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path, line, message):
    page = tmp_path / "RESULTS.md"
    page.write_text(EMPTY_PAGE)
    publish(page, [row()])
    rows = tmp_path / "docs/results/relations.jsonl"
    rows.write_text(f"{rows.read_text()}{line}\n")
    with pytest.raises(ValueError, match=message):
        publish(page, [])


def test_a_page_without_markers_is_refused(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# Results\n")
    with pytest.raises(ValueError, match=r"page\.md: expected a table between the lines"):
        publish(page, [row()])


def test_the_table_of_the_results_is_printed_from_the_rows_beside_them():
    assert table_of(RESULTS) == printed(read_rows(ROWS)), (
        "the table of RESULTS.md differs from docs/results/relations.jsonl: "
        "`stepmill experiment --publish RESULTS.md` prints it"
    )


def test_the_stored_rows_are_of_known_relations_in_the_words_of_the_code():
    known = {
        (config.name, relation.name, relation.point): relation
        for config in experiment_configs().values()
        for relation in config().relations()
    }
    for each in read_rows(ROWS):
        relation = known[each.experiment, each.relation, each.point]
        assert (each.claim, each.paper) == (relation.claim, relation.paper)
        assert each.said is not None or each.command.startswith("stepmill experiment ")


def test_every_relation_is_listed_with_its_newest_verdict():
    listed = relations_json()
    keys = [(each["experiment"], each["relation"], each["point"]) for each in listed]
    assert len(set(keys)) == len(keys) >= 30
    table = known_relations([row()])
    cells = zip(table.columns[1].cells, table.columns[4].cells, strict=True)
    found = {str(claim): str(verdict) for claim, verdict in cells}
    assert found[row().claim] == "holds"
    assert found["two players beat self-talk"] == ""
