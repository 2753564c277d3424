"""Starting Ray again where its processes are slow to appear."""

import logging

import pytest

from schemas.errors import EngineUnreachable
from tasks.engines import cluster
from tasks.engines.cluster import keep_trying, load_words


class Starts:
    """A start that fails a number of times."""

    def __init__(self, failures: int) -> None:
        self.failures, self.calls = failures, 0

    def __call__(self) -> None:
        self.calls += 1
        if self.calls <= self.failures:
            raise RuntimeError("no raylet")


def test_slow_failures_are_tried_again_within_the_time(monkeypatch, caplog):
    monkeypatch.setattr(cluster, "_SLOW_S", 0.0)  # every failure counts as slow
    start = Starts(7)
    with caplog.at_level(logging.WARNING):
        keep_trying(start, timeout_s=60)
    assert start.calls == 8
    assert "load " in caplog.text


def test_the_end_of_the_time_names_attempts_and_load(monkeypatch):
    monkeypatch.setattr(cluster, "_SLOW_S", 0.0)
    words = r"in 1 attempts and 0 s \(load [\d.]+ on \d+ cores"
    with pytest.raises(EngineUnreachable, match=words):
        keep_trying(Starts(5), timeout_s=0)


def test_what_fails_at_once_is_tried_three_times():
    start = Starts(100)
    with pytest.raises(EngineUnreachable, match=r"in 3 attempts .*no raylet"):
        keep_trying(start, timeout_s=60)
    assert start.calls == 3
    assert load_words().startswith("load ")
