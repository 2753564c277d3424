"""The table of what refining gains by verifier."""

import io

import pytest
from rich.console import Console

from flows.tables.gates import gate_summary, gate_table_rows, split_gates
from schemas.evaluation import EvaluationConfig
from schemas.rows import Metric
from tasks.evaluation.refinement_gate import Refined, gate_rows

CONFIG = EvaluationConfig(num_bootstrap=20)
PASS = Metric(
    policy="p",
    verifier=None,
    strategy="pass",
    budget=1,
    bin="round=0",
    metric="pass@1",
    value=0.5,
    ci_low=None,
    ci_high=None,
    num_problems=2,
    arm="policy",
)


def gate(name, p_wrong):
    rows = [Refined("p0", True, False, p_wrong[0]), Refined("p1", False, True, p_wrong[1])]
    return gate_rows(name, "refiner", rows, 0.5, CONFIG, set_name="eval")


def test_the_best_verifier_comes_first_with_its_cells():
    metrics = [*gate("always", (2.0, 2.0)), *gate("oracle", (0.0, 2.0))]
    best, worst = gate_table_rows(metrics)
    assert (best["verifier"], worst["verifier"]) == ("oracle", "always")
    assert best["after"].startswith("1.000")
    assert best["gain"].startswith("+0.500")
    assert (best["right, right"], best["wrong, right"]) == ("0.500", "0.500")
    assert worst["after"].startswith("0.500")
    assert (worst["right, wrong"], worst["wrong, right"]) == ("0.500", "0.500")


def test_gates_are_told_apart_from_rounds():
    gates = gate("own", (0.6, 0.4))
    rounds, others = split_gates([PASS, *gates])
    assert (rounds, others) == ([PASS], gates)


def test_the_table_says_what_it_was_measured_on():
    text = io.StringIO()
    Console(file=text, width=240).print(gate_summary(gate("own", (0.6, 0.4))))
    assert "Refining what a verifier flags, on 2 held-out problems" in text.getvalue()
    assert "threshold chosen on the other held-out problems" in text.getvalue()


def test_no_figures_make_no_table():
    with pytest.raises(ValueError, match="expected figures of refining by verifier, got none"):
        gate_summary([])
