import pytest

from tasks.evaluation.statistics.exchange import forward_flops, inference_multiplier


@pytest.mark.parametrize(
    ("ratio", "forward", "expected"),
    [
        (0.16, 2, 257.75),
        (0.79, 2, 63.37),
        (22, 2, 15.77),
        (0.08, 4, 257.75),
        (0.40, 4, 62.75),
        (11, 4, 15.77),
    ],
)
def test_published_multipliers(ratio, forward, expected):
    assert inference_multiplier(14, ratio, forward=forward) == pytest.approx(expected, abs=0.005)


def test_spends_the_same_total():
    small, large, pretraining, inference = 3e5, 2.1e6, 8e6, 5e5
    times = inference_multiplier(large / small, inference / pretraining)
    costs = [
        6 * small * pretraining + times * forward_flops(small, inference),
        6 * large * pretraining + forward_flops(large, inference),
    ]
    assert costs[0] == pytest.approx(costs[1])


def test_models_of_one_size_may_spend_the_same():
    assert inference_multiplier(1, 0.01) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0.5, 1.0), "size_ratio: expected the large model's parameters over the small one's"),
        ((2.0, 0.0), "inference_per_pretraining: expected a number above 0, got 0.0"),
        ((float("nan"), 1.0), "at least 1, got nan"),
    ],
)
def test_refuses_what_is_no_exchange(arguments, words):
    with pytest.raises(ValueError, match=words):
        inference_multiplier(*arguments)


def test_refuses_negative_tokens():
    with pytest.raises(ValueError, match="tokens: expected a number of at least 0, got -1"):
        forward_flops(10, -1)
