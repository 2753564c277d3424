import pytest

from flows.pages.size_plots import draw_sizes, plot_sizes
from schemas.rows import Metric


def row(size, strategy, budget, metric, value, **fields):
    values = {"policy": size, "verifier": None, "bin": "all", "num_problems": 9, "arm": size}
    ends = {"ci_low": value * 0.9, "ci_high": value * 1.1}
    return Metric(
        strategy=strategy, budget=budget, metric=metric, value=value, **{**values, **ends, **fields}
    )


@pytest.fixture
def metrics():
    rows = []
    for size, flops in (("small", 1e5), ("large", 1e6)):
        for strategy, budget in (("one", 1), ("best_of_n", 4), ("dvts", 4)):
            rows.append(row(size, strategy, budget, "accuracy", 0.3 + 0.1 * budget))
            rows.append(row(size, strategy, budget, "flops", flops * budget))
    return rows


def test_both_pictures_are_drawn_into_the_store(metrics, store, tmp_path):
    coverage = {
        "small": [
            *(row("id", "pass", k, "coverage", 0.2 * k, arm=None) for k in (1, 2, 4)),
            row("id", "pass", 4, "coverage_a", -1.6, arm=None),
            row("id", "pass", 4, "coverage_b", -0.9, arm=None),
        ],
        "large": [],
    }
    names = draw_sizes(store, "run", metrics, coverage)
    assert names == ["reports/run/model-sizes.png", "reports/run/model-sizes-coverage.png"]
    assert draw_sizes(store, "other", metrics, {}) == ["reports/other/model-sizes.png"]
    plot_sizes(metrics, tmp_path / "sizes.png")
    assert (tmp_path / "sizes.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_draw_is_refused(tmp_path):
    one = [row("small", "one", 1, "accuracy", 0.5)]
    with pytest.raises(ValueError, match="expected accuracies of searches, got none among 1"):
        plot_sizes(one, tmp_path / "sizes.png")
