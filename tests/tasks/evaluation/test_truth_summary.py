from io import StringIO

from rich.console import Console

from flows.tables.accuracies import accuracy_summary
from flows.tables.truth import pick_summary, truth_summary
from schemas.rows import Metric


def metric(name: str, value: float, strategy: str, **fields) -> Metric:
    values = {
        "policy": "pol",
        "verifier": None,
        "budget": None,
        "bin": "all",
        "ci_low": None,
        "ci_high": None,
        "num_problems": 9,
    }
    return Metric(metric=name, value=value, strategy=strategy, **{**values, **fields})


HELD = {"verifier": "ver", "against": "checker"}


def render(table) -> str:
    written = StringIO()
    Console(width=90, file=written).print(table)
    return written.getvalue()


def lines(table) -> list[str]:
    return [" ".join(line.split()) for line in render(table).splitlines()]


def test_truth_is_shown_in_groups():
    table = truth_summary(
        [
            metric("accuracy", 0.5, "majority", budget=4),
            metric("label_agreement", 0.9312, "m[n=8]", ci_low=0.91, ci_high=0.95),
            metric("labelled_steps", 5117.0, "m[n=8]"),
            metric("label_agreement", 0.91, "m[n=8]", bin="steps=before_answer"),
            metric("step_auc", 0.57, "step_scores", **HELD, bin="kind=slip"),
            metric("step_auc", 0.92, "step_scores", **HELD),
            metric(
                "mean_score",
                0.57,
                "step_scores",
                against="checker",
                verifier="ver",
                bin="score=0-1",
            ),
            metric("right_through_wrong_step", 0.026, "pool"),
        ]
    )
    assert table is not None
    assert lines(table)[4:13] == [
        "step labels m[n=8] of pol",
        "labelled steps 5,117",
        "agreement with the truth 0.931 .91-.95",
        "agreement with the truth, before the answer 0.910",
        "step scores of ver against checker",
        "step AUC 0.920",
        "step AUC, slip 0.570",
        "solutions of pol",
        "right answers through a wrong step 0.026",
    ]


def test_picks_are_shown_with_the_most_frequent_first():
    def pick(kind, budget, value):
        where = {"bin": f"first_error={kind}", "budget": budget, "verifier": "ver"}
        return metric("picks", value, "best_of_n[min]", **where)

    table = pick_summary([pick("slip", 1, 3), pick("none", 1, 6), pick("slip", 64, 8)])
    assert table is not None
    text = render(table)
    assert "best_of_n[min]" in text
    assert "verifier ver" in text
    shown = [line.split() for line in text.splitlines() if line.split()[:1] in (["slip"], ["none"])]
    assert shown == [["slip", "3.0", "8.0"], ["none", "6.0"]]


def test_without_such_rows_there_is_no_table():
    rows = [metric("accuracy", 0.5, "majority", budget=4)]
    assert truth_summary(rows) is None
    assert pick_summary(rows) is None


def test_accuracies_name_their_verifier():
    rows = [metric("accuracy", 0.5, "majority", budget=4)]
    assert "verifier" not in render(accuracy_summary(rows)).split("tokens per problem")[0]
    rows.append(metric("accuracy", 0.6, "weighted[min]", budget=4, verifier="ver"))
    assert "verifier ver" in render(accuracy_summary(rows))
