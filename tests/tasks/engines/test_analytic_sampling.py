"""Sampling parameters on exact next-step distributions."""

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from schemas.engines import Completion, GenerationRequest
from schemas.errors import RequestRejected
from tasks.engines.analytic_engine import AnalyticEngine

P_NEXT = {0: 0.1, 1: 0.2, 2: 0.4, 3: 0.3}
TEXTS = ("a stop b\n", "c\n", "d\n", "st\n")
NUM = 4000


class FourSteps(AnalyticEngine[int]):
    """Three steps, each one of four whatever came before."""

    def __init__(self) -> None:
        super().__init__(name="four", model_id="four", vocabulary=TEXTS, verifier_noise=0.0)

    def begin(self, prompt: str) -> int:
        return 0

    def advance(self, state: int, token_id: int) -> int:
        return state + 1

    def next_steps(self, state: int) -> Mapping[int, float]:
        return P_NEXT if state < 3 else {}

    def value(self, state: int) -> float:
        return 1.0


def draw(**fields: Any) -> tuple[Completion, ...]:
    values = {"prompt": "?", "max_tokens": 9, "seed": 1, **fields}
    return asyncio.run(FourSteps().generate(GenerationRequest(**values))).completions


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, P_NEXT),
        ({"top_k": 1}, {2: 1.0}),
        ({"top_k": 2}, {2: 4 / 7, 3: 3 / 7}),
        ({"top_k": 9}, P_NEXT),
        ({"min_p": 0.5}, {2: 4 / 9, 3: 3 / 9, 1: 2 / 9}),
        ({"min_p": 0.6}, {2: 4 / 7, 3: 3 / 7}),
        ({"min_p": 0.25}, P_NEXT),
        ({"top_k": 3, "top_p": 0.7}, {2: 4 / 7, 3: 3 / 7}),
        ({"temperature": 0.5, "min_p": 0.3}, {2: 16 / 25, 3: 9 / 25}),
    ],
)
def test_steps_are_drawn_from_the_renormalised_allowed_ones(
    fields: dict[str, Any], expected: dict[int, float]
) -> None:
    counts = Counter(completion.token_ids[0] for completion in draw(n=NUM, **fields))
    assert set(counts) == set(expected)
    for token_id, p in expected.items():
        error = 4 * math.sqrt(p * (1 - p) / NUM)
        assert abs(counts[token_id] / NUM - p) <= error


def test_confidences_are_those_of_the_exact_distribution() -> None:
    (completion,) = draw(num_alternatives=2)
    expected = -(math.log(0.4) + math.log(0.3)) / 2
    assert completion.confidences == pytest.approx([expected] * 3)
    (completion,) = draw(num_alternatives=20)
    whole = -sum(map(math.log, P_NEXT.values())) / 4
    assert completion.confidences == pytest.approx([whole] * 3)
    assert draw()[0].confidences is None


def test_a_stop_string_ends_a_text_within_a_step_and_across_two() -> None:
    for completion in draw(n=200, stop=("stop", "t\nd")):
        ids = list(completion.token_ids)
        ends = [i for i, token_id in enumerate(ids) if token_id == 0]
        ends += [i for i in range(1, len(ids)) if ids[i - 1 : i + 1] == [3, 2]]
        if ends and min(ends) < 2:
            assert len(ids) == min(ends) + 1
            assert completion.stop_string in ("stop", "t\nd")
            assert completion.finish_reason == "stop"
        else:
            assert len(ids) == 3


def test_stop_ids_end_a_text_like_its_end() -> None:
    for completion in draw(n=100, stop_ids=(2,)):
        assert 2 not in completion.token_ids[:-1]
        assert (completion.finish_reason, completion.stop_string) == ("stop", None)


def test_a_repetition_penalty_is_refused() -> None:
    with pytest.raises(RequestRejected, match=r"expected repetition_penalty 1, got 1\.2"):
        draw(repetition_penalty=1.2)
