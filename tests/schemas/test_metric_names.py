"""Names of figures round-trip through text; those of version 3 stores map to columns."""

import pytest

from schemas.metric_names import Bin, Name, current_names, strategy_type
from schemas.rows import METRICS, Metric, from_table, to_table
from storage import connect
from storage.older_rows import present_records

OLD_AND_NEW = [
    (("best_of_n[min]", "accuracy", "all"), ("best_of_n[min]", None, None, "accuracy", None)),
    (
        ("weighted[min]", "gain_over[likelihood[sum]]", "level=3"),
        ("weighted[min]", None, None, "gain_over", "likelihood[sum]"),
    ),
    (
        ("beam", "gain_at_equal_tokens[best_of_n]", "all"),
        ("beam", None, None, "gain_at_equal_tokens", "best_of_n"),
    ),
    (("beam[width=2]/majority", "accuracy", "all"), ("beam[width=2]", "majority", None)),
    (
        ("beam by verifier[last]/likelihood+logit[min,0.5]", "accuracy", "all"),
        ("beam by verifier[last]", "likelihood+logit[min,0.5]", None, "accuracy", None),
    ),
    (("revisions[template=a/b]", "accuracy", "all"), ("revisions[template=a/b]", None, None)),
    (
        ("step_scores[monte_carlo[n=8]]", "step_auc", "all"),
        ("step_scores", None, None, "step_auc", "monte_carlo[n=8]"),
    ),
    (
        ("compute_optimal[model_quintile,tokens]", "gain_over[majority]", "all"),
        ("compute_optimal", "model_quintile,tokens", None, "gain_over", "majority"),
    ),
    (
        ("compute_optimal[level]", "chosen[beam[width=2]@16]", "level=1,fold=0"),
        ("compute_optimal", "level", "beam[width=2]@16", "chosen", None),
    ),
    (("rest", "pass@8", "round=2"), ("pass", None, "rest")),
    (("rest", "majority@8", "round=2,level=3"), ("majority", None, "rest")),
    (("rest", "set_rows", "round=2"), ("pool", None, "rest")),
    (("monte_carlo[n=8]", "label_agreement", "all"), ("monte_carlo[n=8]", None, None)),
    (("sft", "loss", "step=10"), ("sft", None, None)),
]


def figure(strategy: str, metric: str, bin_name: str, **fields) -> Metric:
    values = {"verifier": None, "budget": 8, "ci_low": None, "ci_high": None, "num_problems": 5}
    return Metric(
        policy="p",
        strategy=strategy,
        metric=metric,
        bin=bin_name,
        value=0.5,
        **{**values, **fields},
    )


def names_of(row: dict) -> tuple:
    return tuple(row[name] for name in ("strategy", "pick", "arm", "metric", "against"))


@pytest.mark.parametrize(("old", "new"), OLD_AND_NEW, ids=[str(old) for old, _ in OLD_AND_NEW])
def test_names_that_were_glued_have_columns_of_their_own(old, new):
    row: dict[str, str] = dict(zip(("strategy", "metric", "bin"), old, strict=True))
    found = current_names(row)
    expected = new if len(new) == 5 else (*new, old[1], None)
    assert names_of(found) == expected
    assert found["bin"] == old[2]
    assert current_names(found) == found


def test_the_view_reads_old_names_as_python_does(store, unit_of):
    """A file without the new columns, as version 3 wrote it, and one with them."""
    old = [figure(*names) for names, _ in OLD_AND_NEW]
    store.commit(unit_of(METRICS.name, name="old", stage="evaluation"), old)
    table = to_table(METRICS, old).drop_columns(["pick", "arm", "against"])
    expected = sorted(
        names_of_metric(row) for row in present_records(METRICS, from_table(METRICS, table))
    )
    columns = "coalesce(strategy, ''), coalesce(pick, ''), coalesce(arm, ''), metric"
    statement = f"select {columns}, coalesce(against, '') from curves"
    assert sorted(connect(store.root).sql(statement).fetchall()) == expected
    new = figure("beam", "accuracy", "all", pick="majority", budget=2)
    store.commit(unit_of(METRICS.name, name="new", stage="evaluation"), [new])
    assert ("beam", "majority", "", "accuracy", "") in connect(store.root).sql(statement).fetchall()


def names_of_metric(row: Metric) -> tuple:
    return tuple(
        value or "" for value in (row.strategy, row.pick, row.arm, row.metric, row.against)
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("all", Bin()),
        ("level=3", Bin("level", "3")),
        ("subject=Counting, odds = even", Bin("subject", "Counting, odds = even")),
        ("round=2.1", Bin(round="2.1")),
        ("round=2,level=3", Bin("level", "3", round="2")),
        ("oracle_quintile=1,fold=0", Bin("oracle_quintile", "1", fold=0)),
        ("fold=1", Bin("fold", "1")),
        ("score=0.100-0.200", Bin("score", "0.100-0.200")),
    ],
)
def test_bins_go_into_text_and_back(text, where):
    assert Bin.parse(text) == where
    assert str(where) == text


def test_what_is_no_bin_is_refused():
    for text in ("", "everything"):
        with pytest.raises(ValueError, match="expected a bin such as all or level=3"):
            Bin.parse(text)


def test_bins_are_in_order_of_their_numbers():
    bins = [Bin("level", name) for name in ("10", "9", "hard")]
    assert sorted(reversed(bins), key=lambda where: where.order) == [bins[1], bins[0], bins[2]]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("majority", Name("majority")),
        ("likelihood+logit[min]", Name("likelihood+logit", "min")),
        ("gain_over[likelihood[sum]]", Name("gain_over", "likelihood[sum]")),
    ],
)
def test_names_go_into_text_and_back(text, name):
    assert Name.parse(text) == name
    assert str(name) == text


def test_a_label_begins_with_its_type():
    assert strategy_type("beam[width=2] by verifier[last]") == "beam"
    assert strategy_type("best_of_n by likelihood") == "best_of_n"
