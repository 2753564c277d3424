"""How the command line prints results, and that it cuts nothing off."""

import json
from datetime import UTC, datetime

import pytest

from flows.commands.report import show_report
from flows.tables.output import write_relation
from schemas.rows import METRICS, MeasuredRelation, Metric
from storage import connect, query


def accuracy(value: float, strategy: str = "majority", **fields) -> Metric:
    values = {
        "policy": "pol",
        "verifier": None,
        "budget": 4,
        "bin": "all",
        "metric": "accuracy",
        "ci_low": None,
        "ci_high": None,
        "num_problems": 10,
    }
    return Metric(value=value, strategy=strategy, **{**values, **fields})


@pytest.fixture
def judged(store, unit_of):
    """A run with two verifiers; the files of both hold the majority's accuracy."""
    for verifier, value in (("ver-a", 0.625), ("ver-b", 0.75)):
        rows = [
            accuracy(0.5),
            accuracy(0.25, bin="level=1"),
            accuracy(value, "weighted[min]", verifier=verifier),
            accuracy(value - 0.5, "weighted[min]", verifier=verifier, bin="level=1"),
            accuracy(value, "weighted[min]", verifier=verifier, bin="level=1", budget=8),
        ]
        store.commit(unit_of(METRICS.name, name=f"eval-{verifier}", stage="evaluation"), rows)
    labels = accuracy(0.93, "m[n=8]", metric="label_agreement", budget=None)
    store.commit(unit_of(METRICS.name, name="labels-train", stage="evaluation"), [labels])
    return store


def read_words(capsys) -> str:
    """The printed text as one line: a narrow table breaks its title."""
    return " ".join(capsys.readouterr().out.split())


def test_each_verifier_has_a_table_with_the_shared_rows(judged, capsys):
    show_report(connect(judged.root), "run", "table")
    text = read_words(capsys)
    first, second = text.split("verifier ver-a")[1].split("verifier ver-b")
    assert "0.625" in first
    assert "0.750" not in first
    assert "0.750" in second
    assert "majority" in first
    assert "majority" in second
    assert text.count("agreement with the truth") == 1


def test_bins_are_shown_at_the_budget_asked_for(judged, capsys):
    connection = connect(judged.root)
    show_report(connection, "run", "table", by="level", budget=4)
    text = read_words(capsys)
    assert "by strategy and level at N = 4" in text
    assert "0.125" in text
    assert "agreement with the truth" not in text
    show_report(connection, "run", "table", by="level")
    assert "at N = 8" in read_words(capsys)
    with pytest.raises(ValueError, match=r"expected --by level, subject, .*, got 'colour'"):
        show_report(connection, "run", "table", by="colour")
    with pytest.raises(ValueError, match="by subject at N = 8, got none"):
        show_report(connection, "run", "table", by="subject")


def test_json_holds_every_figure_once(judged, capsys):
    show_report(connect(judged.root), "run", "json")
    found = json.loads(capsys.readouterr().out)
    assert len(found) == 9
    assert len([row for row in found if row["strategy"] == "majority"]) == 2
    with pytest.raises(ValueError, match="run other has no results yet"):
        show_report(connect(judged.root), "other", "json")


def test_sets_are_not_mixed(store, unit_of, capsys):
    for name, value in (("eval", 0.5), ("dev", 0.25)):
        rows = [
            accuracy(value, set_name=name),
            accuracy(value, "m[n=8]", metric="label_agreement", budget=None, set_name=name),
        ]
        store.commit(unit_of(METRICS.name, name=name, stage="evaluation"), rows)
    connection = connect(store.url)
    show_report(connection, "run", "table")
    tables = read_words(capsys).split("Against the truth")
    assert len(tables) == 3
    assert "0.500" in tables[0]
    assert "0.250" not in tables[0]
    show_report(connection, "run", "table", set_name="dev")
    text = read_words(capsys)
    assert "0.250" in text
    assert "0.500" not in text
    show_report(connection, "run", "json", set_name="dev")
    assert {row["set_name"] for row in json.loads(capsys.readouterr().out)} == {"dev"}
    with pytest.raises(ValueError, match="expected --set-name dev, eval, got 'test'"):
        show_report(connection, "run", "table", set_name="test")


def test_without_a_verifier_there_is_one_table(store, unit_of, capsys):
    store.commit(unit_of(METRICS.name, stage="evaluation"), [accuracy(0.5)])
    show_report(connect(store.root), "run", "table")
    assert read_words(capsys).count("Accuracy by strategy and N") == 1


def test_a_table_that_goes_into_a_file_is_not_cut(store, capsys):
    connection = connect(store.root)
    text = "x" * 300
    columns = ", ".join(f"'{text}{i}' as column_with_a_long_name_{i}" for i in range(12))
    write_relation(query(connection, f"select {columns}"), "table")
    printed = capsys.readouterr().out
    for index in range(12):
        assert f"{text}{index}" in printed
        assert f"column_with_a_long_name_{index}" in printed
    assert "…" not in printed


def test_the_report_of_an_experiment_has_its_newest_relations(store, unit_of, capsys):
    def measured(point, verdict, day):
        return MeasuredRelation(
            experiment="rest",
            relation="rest_improves",
            point=point,
            claim="It improves",
            paper="P",
            published="no figure",
            larger="after",
            larger_value=0.8,
            smaller="before",
            smaller_value=0.5,
            difference=0.3,
            verdict=verdict,
            rule="paired by problem, bootstrap",
            size="whole",
            seed=0,
            command="stepmill experiment rest",
            details="loops.md",
            created_at=datetime(2026, 1, day, tzinfo=UTC),
        )

    old = [measured("N = 4", "within the noise", 1), measured("N = 16", "holds", 1)]
    for name, rows in (("old", old), ("new", [measured("N = 4", "holds", 2)])):
        store.commit(unit_of("relations", name=name, stage="experiment_rest"), rows)
    show_report(connect(store.root), "run", "json")
    rows = json.loads(capsys.readouterr().out)
    assert sorted((row["point"], row["verdict"]) for row in rows) == [
        ("N = 16", "holds"),
        ("N = 4", "holds"),
    ]
    show_report(connect(store.root), "run", "table")
    text = read_words(capsys)
    assert "It improves, N = 4 (P): holds: after .800, before .500; +.300" in text
    assert "within the noise" not in text
