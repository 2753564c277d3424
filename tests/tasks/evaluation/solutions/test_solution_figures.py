from dataclasses import replace
from io import StringIO
from random import Random

import numpy as np
import pytest
from rich.console import Console

from flows.pages.plots import plot_accuracy, plot_bins, plot_reliability
from flows.tables.accuracies import accuracy_summary, bin_summary
from flows.tables.names import sort_strategies
from schemas.evaluation import EvaluationConfig
from schemas.rows import METRICS, Metric, from_table, to_table
from tasks.evaluation.solutions.candidates import Candidates
from tasks.evaluation.solutions.figures import solution_figures
from tasks.evaluation.solutions.rankers import accuracy_table, fold_of
from tasks.verifiers.quality import reliability_table

CONFIG = EvaluationConfig(budgets=(1, 4, 8), num_bootstrap=200)


def draw_problem(index: int, num_drawn: int = 8, p_right: float = 0.5) -> Candidates:
    """Random candidates whose scores separate right from wrong, and likelihoods less so."""
    draw = Random(index)
    correct = [draw.random() < p_right for _ in range(num_drawn)]
    return Candidates(
        problem_id=f"p{index}",
        level=1 + index % 5,
        subject=("none", "trap A")[index % 2],
        classes=tuple(0 if ok else draw.randrange(1, 4) for ok in correct),
        correct=tuple(correct),
        status=("finished",) * num_drawn,
        logprobs=tuple(draw.gauss(-9 + ok, 2) for ok in correct),
        num_tokens=(10,) * num_drawn,
        scores=tuple((0.9, draw.uniform(0.2, 0.6) + 0.3 * ok) for ok in correct),
        scored_tokens=(15,) * num_drawn,
    )


@pytest.fixture(scope="module")
def candidates() -> list[Candidates]:
    return [draw_problem(index, p_right=0.2 + 0.03 * (index % 20)) for index in range(40)]


@pytest.fixture(scope="module")
def metrics(candidates: list[Candidates]) -> list[Metric]:
    return solution_figures(candidates, CONFIG, policy="policy", verifier="verifier")


def solved(problem: Candidates, first: int = 0) -> float:
    """The share of right rows, starting at a row."""
    return float(np.mean([ok is True for ok in problem.correct[first:]]))


def find(metrics, strategy, budget, metric="accuracy", bin_name="all", against=None) -> Metric:
    [row] = [
        m
        for m in metrics
        if (m.strategy, m.budget, m.metric, m.bin, m.against)
        == (strategy, budget, metric, bin_name, against)
    ]
    return row


def test_every_strategy_is_the_policy_at_one_candidate(metrics, candidates):
    expected = np.mean([solved(problem) for problem in candidates])
    rows = [m for m in metrics if m.metric == "accuracy" and m.budget == 1 and m.bin == "all"]
    assert len(rows) == 15
    for row in rows:
        assert row.value == pytest.approx(expected), row.strategy
        assert row.num_problems == 40


def test_no_strategy_beats_pass_and_the_verifier_helps(metrics):
    for k in (4, 8):
        bound = find(metrics, "pass", k).value
        assert all(
            m.value <= bound + 1e-12
            for m in metrics
            if m.metric == "accuracy" and m.budget == k and m.bin == "all"
        )
        majority = find(metrics, "majority", k).value
        assert find(metrics, "best_of_n[last]", k).value > majority + 0.1
        assert find(metrics, "weighted[last]", k).value > majority


def test_intervals_hold_their_value(metrics):
    with_interval = [m for m in metrics if m.ci_low is not None]
    for m in with_interval:
        if m.metric == "accuracy":
            assert m.ci_low is not None
            assert m.ci_high is not None
            assert m.ci_low - 1e-9 <= m.value <= m.ci_high + 1e-9
    assert len(with_interval) > 1000


def test_gain_is_the_difference_of_accuracies(metrics):
    for strategy in ("weighted[min]", "pass", "likelihood[sum]"):
        gain = find(metrics, strategy, 8, "gain_over", against="majority")
        difference = find(metrics, strategy, 8).value - find(metrics, "majority", 8).value
        assert gain.value == pytest.approx(difference)
    assert not [m for m in metrics if m.strategy == m.against]


def test_bins_part_the_problems(metrics):
    for kind in ("level", "subject", "oracle_quintile", "model_quintile"):
        rows = [
            m
            for m in metrics
            if m.bin.startswith(f"{kind}=")
            and (m.strategy, m.budget, m.metric) == ("majority", 4, "accuracy")
        ]
        assert sum(m.num_problems for m in rows) == 40
        whole = sum(m.value * m.num_problems for m in rows) / 40
        assert whole == pytest.approx(find(metrics, "majority", 4).value)
    easy = find(metrics, "pass", 1, bin_name="oracle_quintile=1")
    hard = find(metrics, "pass", 1, bin_name="oracle_quintile=5")
    assert easy.value > hard.value


def test_verifier_is_named_only_where_it_was_read(metrics):
    assert find(metrics, "majority", 4).verifier is None
    assert find(metrics, "weighted[min]", 4).verifier == "verifier"
    assert find(metrics, "majority", 4, bin_name="model_quintile=1").verifier == "verifier"
    assert find(metrics, "likelihood+logit[min]", 4).verifier == "verifier"


def test_tokens_are_those_of_the_budget(metrics):
    assert find(metrics, "majority", 4, "generated_tokens").value == 40
    assert find(metrics, "weighted[min]", 8, "scored_tokens").value == 120
    assert not [m for m in metrics if (m.strategy, m.metric) == ("majority", "scored_tokens")]


def test_weight_is_chosen_on_the_other_fold():
    # In fold 0 the verifier is right, in fold 1 the likelihood: each is reported under the
    # weight that suits the other, and so comes out wrong.
    def disagreeing(index: int) -> Candidates:
        verifier_is_right = fold_of(f"p{index}") == 0
        return Candidates(
            problem_id=f"p{index}",
            classes=(0, 1),
            correct=(verifier_is_right, not verifier_is_right),
            status=("finished",) * 2,
            logprobs=(-10.0, -8.0),
            num_tokens=(5, 5),
            scores=((0.8,), (0.2,)),
            scored_tokens=(5, 5),
        )

    problems = [disagreeing(index) for index in range(12)]
    config = EvaluationConfig(budgets=(2,), likelihood_weights=(0.25, 2.0))
    table = accuracy_table(problems, config)
    assert {fold_of(problem.problem_id) for problem in problems} == {0, 1}
    assert table.of("likelihood+logit[min]").ravel().tolist() == [0.0] * 12
    assert table.chosen_weights["likelihood+logit[min]"].tolist() == [[0.25], [2.0]]
    rows = solution_figures(problems, config, policy="policy", verifier="verifier")
    assert find(rows, "likelihood+logit[min]", 2, "weight", "fold=1").value == 2.0


def test_lost_rows_are_counted_and_the_problem_stays_at_every_budget():
    problem = draw_problem(1)
    statuses = ("error", "truncated", *problem.status[2:])
    lost = replace(
        problem,
        status=statuses,
        classes=(None, None, *problem.classes[2:]),
        correct=(None, None, *problem.correct[2:]),
    )
    rows = solution_figures([lost, draw_problem(2)], CONFIG, policy="policy", verifier="verifier")
    assert find(rows, "pass", 8).num_problems == 2
    assert find(rows, "pool", None, "excluded_rate").value == 1 / 16
    assert find(rows, "pool", None, "truncated_rate").value == 1 / 16
    others = [solved(problem, 2), solved(draw_problem(2))]
    assert find(rows, "pool", None, "finished_accuracy").value == pytest.approx(np.mean(others))
    with_truncated = [solved(problem, 2) * 6 / 7, others[1]]
    assert find(rows, "pass", 1).value == pytest.approx(np.mean(with_truncated))


def test_budgets_above_what_was_drawn_are_left_out():
    rows = solution_figures(
        [draw_problem(1, num_drawn=4)], CONFIG, policy="policy", verifier="verifier"
    )
    assert {m.budget for m in rows if m.metric == "accuracy"} == {1, 4}


def test_one_problem_has_figures_without_intervals():
    rows = solution_figures([draw_problem(1)], CONFIG, policy="policy", verifier="verifier")
    assert find(rows, "majority", 4).ci_low is None
    assert not [m for m in rows if m.strategy.startswith("likelihood+")]


def test_one_candidate_is_enough():
    problems = [draw_problem(index, num_drawn=1) for index in range(4)]
    rows = solution_figures(problems, CONFIG, policy="policy", verifier="verifier")
    assert {m.budget for m in rows if m.metric == "accuracy"} == {1}


def test_nothing_to_measure():
    assert solution_figures([], CONFIG, policy="policy", verifier=None) == []
    ungraded = replace(draw_problem(1), correct=(None,) * 8)
    rows = solution_figures([ungraded], CONFIG, policy="policy", verifier="verifier")
    assert not [m for m in rows if m.metric == "accuracy"]
    assert find(rows, "pool", None, "problems_without_candidates").value == 1
    assert find(rows, "pool", None, "excluded_rate").value == 1


def test_without_scores_or_likelihoods_only_votes_are_measured(candidates):
    bare = [replace(p, scores=(None,) * 8, logprobs=(None,) * 8) for p in candidates]
    rows = solution_figures(bare, CONFIG, policy="policy", verifier=None)
    assert {m.strategy for m in rows} == {"pass", "majority", "pool"}
    assert not [m for m in rows if m.bin.startswith("model_quintile")]


def test_bad_input_is_named(candidates):
    with pytest.raises(ValueError, match="problem p0: expected once"):
        solution_figures([candidates[0], candidates[0]], CONFIG, policy="policy", verifier="v")
    with pytest.raises(ValueError, match="problem p0: got scores, expected a verifier"):
        solution_figures(candidates, CONFIG, policy="policy", verifier=None)


def test_metrics_fit_their_table_and_repeat(metrics, candidates):
    assert from_table(METRICS, to_table(METRICS, metrics)) == metrics
    assert solution_figures(candidates, CONFIG, policy="policy", verifier="verifier") == metrics


def test_summary_shows_strategies_budgets_and_tokens(metrics):
    written = StringIO()
    console = Console(width=80, file=written)
    console.print(accuracy_summary(metrics))
    console.print(bin_summary(metrics, kind="level", budget=4))
    text = written.getvalue()
    assert f"{find(metrics, 'weighted[min]', 8).value:.3f}" in text
    assert "likelihood+logit[min]" in text
    assert "tokens verified" in text
    assert "…" not in text
    with pytest.raises(ValueError, match="expected accuracies by level at N = 5"):
        bin_summary(metrics, kind="level", budget=5)
    with pytest.raises(ValueError, match="in bin level=9"):
        accuracy_summary(metrics, bin_name="level=9")


def test_strategies_are_sorted_baselines_first_bound_last():
    names = ["pass", "weighted[prod]", "weighted[min]", "likelihood+logit[min]", "majority"]
    expected = ["majority", "weighted[min]", "weighted[prod]", "likelihood+logit[min]", "pass"]
    assert sort_strategies(names) == expected


def test_pictures_are_written(metrics, tmp_path):
    plot_accuracy(metrics, tmp_path / "new" / "accuracy.png")
    plot_bins(metrics, tmp_path / "level.png", kind="level", budget=4)
    table = reliability_table([0.2, 0.8, 0.9], [False, True, True])
    plot_reliability(table, tmp_path / "reliability.png")
    for name in ("new/accuracy.png", "level.png", "reliability.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_pictures_of_nothing_are_refused(metrics, tmp_path):
    with pytest.raises(ValueError, match="expected accuracies"):
        plot_accuracy(metrics, tmp_path / "a.png", bin_name="level=9")
    with pytest.raises(ValueError, match="expected a bin with steps"):
        plot_reliability(reliability_table([], []), tmp_path / "b.png")


def test_a_text_that_several_rows_have_is_read_once():
    """Two of three rows share a text of 10 tokens, the third has 40: by hand over all subsets."""
    problem = Candidates(
        problem_id="p",
        classes=(0, 0, 1),
        correct=(True, True, False),
        status=("finished",) * 3,
        logprobs=(None,) * 3,
        num_tokens=(5, 5, 5),
        scores=((0.9,), (0.9,), (0.2,)),
        scored_tokens=(10, 0, 40),
        text_ids=(0, 0, 1),
    )
    metrics = solution_figures(
        [problem], EvaluationConfig(budgets=(1, 2, 3)), policy="p", verifier="v"
    )
    found = [find(metrics, "weighted[min]", k, "scored_tokens").value for k in (1, 2, 3)]
    assert found == pytest.approx([(10 + 10 + 40) / 3, (10 + 50 + 50) / 3, 50])
