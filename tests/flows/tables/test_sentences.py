"""The sentences that end a result: a fixed strategy's figure, and what the problems tell."""

from itertools import pairwise

import pytest

from flows.tables.sentences import (
    bins_words,
    fixed_strategy,
    headline_words,
    result_words,
    rounds_words,
    seen_words,
    truth_words,
)
from schemas.rows import Metric


def figure(strategy: str, value: float, metric: str = "accuracy", **fields) -> Metric:
    """A figure over 200 problems whose interval is .03 to both sides, unless given."""
    values = {
        "policy": "pol",
        "verifier": "ver" if strategy != "majority" else None,
        "budget": 16,
        "bin": "all",
        "ci_low": value - 0.03,
        "ci_high": value + 0.03,
        "num_problems": 200,
    }
    return Metric(strategy=strategy, value=value, metric=metric, **{**values, **fields})


def curve(strategy: str, *values: float) -> list[Metric]:
    """Accuracies at N = 1, 4, 16, ..."""
    return [figure(strategy, value, budget=4**i) for i, value in enumerate(values)]


def test_the_headline_is_of_a_fixed_strategy_and_never_of_the_highest():
    rows = [
        *curve("pass", 0.9, 0.99),
        *curve("majority", 0.5, 0.6),
        *curve("weighted[min]", 0.5, 0.95),
        *curve("best_of_n[last]", 0.5, 0.9),
        *curve("best_of_n[min]", 0.5, 0.7),
        figure("best_of_n[min]", 0.99, pick="majority", budget=4),
        figure("best_of_n[min]", 0.99, bin="level=1", budget=4),
    ]
    assert headline_words(rows) == "best_of_n[min] at N = 4: 0.700 (.67-.73), 200 problems."
    assert headline_words(rows[:4]) == "majority at N = 4: 0.600 (.57-.63), 200 problems."
    alone = result_words(curve("pass", 0.1, 0.3))
    assert alone == (
        "pass at N = 4: 0.300 (.27-.33), 200 problems. pass rises from 0.100 (.07-.13) at N = 1 to "
        "0.300 (.27-.33) at N = 4."
    )
    with pytest.raises(ValueError, match="expected accuracies, got none among 0 figures"):
        headline_words([])


@pytest.mark.parametrize(
    ("strategies", "fixed"),
    [
        ({"weighted[min]", "majority", "pass"}, "majority"),
        ({"dvts[width=2]", "beam[width=4]"}, "beam[width=4]"),
        ({"beam", "best_of_n"}, "best_of_n"),
        ({"likelihood[sum]"}, "likelihood[sum]"),
        ({"pass"}, "pass"),
    ],
)
def test_the_fixed_strategy_depends_on_names_alone(strategies, fixed):
    assert fixed_strategy(strategies) == fixed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            (0.46, 0.3, 0.18),
            "The verifier misleads: best_of_n[min] falls from 0.460 (.43-.49) at N = 1 "
            "to 0.180 (.15-.21) at N = 16.",
        ),
        (
            (0.46, 0.6, 0.75),
            "The verifier helps: best_of_n[min] rises from 0.460 (.43-.49) at N = 1 "
            "to 0.750 (.72-.78) at N = 16.",
        ),
        (
            (0.46, 0.7, 0.55),
            "The verifier helps: best_of_n[min] rises from 0.460 (.43-.49) at N = 1 to "
            "0.550 (.52-.58) at N = 16; it was 0.700 (.67-.73) at N = 4, and falls with more "
            "candidates.",
        ),
        (
            (0.46, 0.47),
            "More candidates are not seen to change best_of_n[min]: from 0.460 (.43-.49) at N = 1 "
            "to 0.470 (.44-.50) at N = 4, the intervals overlap.",
        ),
    ],
)
def test_a_result_says_whether_the_verifier_helps_or_misleads(values, words):
    assert seen_words(curve("best_of_n[min]", *values)) == [words]


def test_one_n_and_figures_without_intervals_claim_nothing():
    assert result_words([figure("majority", 0.5, ci_low=None, ci_high=None)]) == (
        "majority at N = 16: 0.500, 200 problems."
    )
    rows = [
        figure("majority", 0.5, budget=1, ci_low=None, ci_high=None),
        figure("majority", 1.0, budget=4, ci_low=None, ci_high=None),
    ]
    assert seen_words(rows) == [
        "majority goes from 0.500 at N = 1 to 1.000 at N = 4, without intervals."
    ]


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        (0.25, "It solves more than majority on the same problems: +0.250 (+0.22..+0.28)."),
        (-0.25, "It solves less than majority on the same problems: -0.250 (-0.28..-0.22)."),
        (0.01, "It is not told apart from majority on the same problems: +0.010 (-0.02..+0.04)."),
    ],
)
def test_the_fixed_strategy_is_compared_with_the_vote(gain, words):
    rows = [
        *curve("best_of_n[min]", 0.5, 0.52),
        figure("best_of_n[min]", gain, "gain_over", against="majority", budget=4),
        figure("best_of_n[min]", 0.9, "gain_over", against="likelihood[sum]", budget=4),
        figure("best_of_n[min]", 0.9, "gain_over", against="majority", budget=1),
    ]
    assert seen_words(rows)[1:] == [words]


def test_others_are_counted_and_the_number_of_comparisons_is_said():
    def gain(strategy: str, value: float) -> Metric:
        return figure(strategy, value, "gain_over", against="majority")

    rows = [
        figure("best_of_n[min]", 0.5),
        gain("best_of_n[min]", 0.1),
        gain("weighted[min]", 0.2),
        gain("filter[min]", -0.2),
        gain("gated[min]", 0.0),
        gain("pass", 0.4),
    ]
    assert seen_words(rows)[-1] == (
        "Of the 3 others, 1 above majority (weighted[min]) and 1 below majority (filter[min]), "
        "by intervals that are not corrected for 3 comparisons."
    )
    level = [rows[0], gain("a", 0.0), gain("b", 0.0)]
    assert seen_words(level) == ["None of the 2 others is told apart from majority."]


def test_bins_say_where_it_is_low_and_high():
    rows = [(str(i), figure("majority", v)) for i, v in ((1, 0.9), (2, 0.5), (3, 0.2))]
    assert bins_words(rows) == (
        "majority is lowest in 3, 0.200 (.17-.23), and highest in 1, 0.900 (.87-.93): "
        "told apart by their intervals."
    )
    assert bins_words(rows[:1]) == "majority: 1 0.900 (.87-.93), the only bin."
    near = [("1", figure("majority", 0.5)), ("2", figure("majority", 0.51))]
    assert bins_words(near).endswith("not told apart, their intervals overlap.")


@pytest.mark.parametrize(
    ("values", "how"),
    [
        ((0.4, 0.1, 0.6), "rises"),
        ((0.6, 0.4), "falls"),
        ((0.4, 0.41), "is not told apart from where it began,"),
    ],
)
def test_a_loop_says_how_each_arm_changed(values, how):
    rows = [
        figure("pool", value, "pass@1", budget=1, arm="rest", bin=f"round={i}")
        for i, value in enumerate(values)
    ]
    (words,) = rounds_words(rows)
    assert words.startswith(f"rest: pass@1 {how} from {values[0]:.3f} (")
    assert words.endswith(f"in round {len(values) - 1}.")
    assert rounds_words(rows[:1]) == []


@pytest.mark.parametrize(
    ("auc", "told"),
    [(0.7, "tells right"), (0.52, "does not tell"), (0.4, "takes wrong steps for right")],
)
def test_scores_are_compared_with_chance(auc, told):
    rows = [figure("step_scores", auc, "step_auc", against="checker")]
    (words,) = truth_words(rows)
    assert words.startswith(f"The verifier ver {told}")
    labels = [figure("monte_carlo[n=8]", 0.9, "label_agreement", verifier=None)]
    assert truth_words(labels) == [
        "The labels monte_carlo[n=8] agree with the truth on 0.900 (.87-.93) of steps."
    ]


def test_a_change_needs_intervals_that_do_not_touch():
    values = [0.40, 0.46, 0.5201]
    words = [
        seen_words([figure("majority", a, budget=1), figure("majority", b, budget=4)])[0]
        for a, b in pairwise(values)
    ]
    assert words[0].startswith("More candidates are not seen to change majority")
    assert words[1].startswith("majority rises")
