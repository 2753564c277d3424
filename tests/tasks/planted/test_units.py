"""The units of the study, run in this process on a tiny grid."""

import asyncio

import pytest
import torch

from schemas.experiments.verification import VerificationExperimentConfig
from schemas.rows import PLANTED_SAMPLES, from_table
from storage import Store
from tasks.engines.host import Counters, UnitContext
from tasks.planted.grid import (
    bases,
    drawing_unit,
    model_unit,
    num_drawn,
    point_unit,
    points,
    rows_of_drawing,
    rows_of_point,
)
from tasks.planted.units import draw_from_base, make_base, train_point

TINY = {
    "reference": 0.8,
    "horizon": 6,
    "holds": [{"hold": "gamma", "spreads": [0.15]}],
    "binary_holds": ["gamma"],
    "nums": [8],
    "horizons": [],
    "num_drawn": 6000,
    "num_seeds": 1,
    "num_questions": 8,
    "traces_per_question": 2,
    "best_of": 4,
    "base": {
        "num_steps": 150,
        "architecture": {"hidden_size": 32, "num_layers": 1, "num_heads": 2, "mlp_size": 64},
    },
    "imitation": {"rates": [0.002], "max_epochs": 1, "num_dev_questions": 4},
    "verifier": {"max_epochs": 1},
    "reinforce": {"num_steps": 2, "batch_questions": 4, "group_size": 4},
}
PLACE = ("run", "experiment_verification")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def tiny(**changes) -> VerificationExperimentConfig:
    return VerificationExperimentConfig.from_partial(TINY | changes)


def make(store: Store, work, unit, config):
    """The rows of a unit, committed."""
    rows = asyncio.run(work(unit, config, UnitContext(store, {}, Counters())))
    store.commit(unit, rows)
    return store.read(unit.path)


@pytest.fixture
def drawn(store):
    """A store in which the base of a mixture of two skills is trained and has drawn."""
    config = tiny()
    base = bases(config)[1]
    (model,) = make(store, make_base, model_unit(base, *PLACE), config)
    assert store.local_folder(model.path).is_dir()
    return store, config, base, make(store, draw_from_base, drawing_unit(base, *PLACE), config)


def test_every_arm_of_a_point_is_stored_and_a_second_making_is_the_same(drawn):
    store, config, base, traces = drawn
    assert len(traces) == rows_of_drawing(base, config)
    counts = {arm: sum(row.arm == arm for row in traces) for arm in ("pool", "base", "teacher")}
    assert counts == {"pool": 6000, "base": 8 * 4, "teacher": 8 * 2}
    assert all((row.gamma is not None) == (row.arm == "teacher") for row in traces)
    of_base = [point for point in points(config) if point.base == base]
    assert [point.name.removeprefix(base.name) for point in of_base] == [
        "-n8-bilevel",
        "-truth-bilevel",
        "-n8-binary",
        "-truth-binary",
    ]
    for point in of_base:
        unit = point_unit(point, *PLACE)
        rows = make(store, train_point, unit, config)
        assert len(rows) == rows_of_point(point, config)
        again = asyncio.run(train_point(unit, config, UnitContext(store, {}, Counters())))
        assert from_table(PLANTED_SAMPLES, again) == rows
        for row in rows:
            right = row.hit_time is not None
            most = 1 if point.reward == "binary" else 2
            assert row.reward == (right and (most if most == 1 else 6 - row.hit_time + 1))
            assert (row.score is not None) == (row.arm in ("read", "vb_bon", "vb_rl"))
            assert row.score is None or 0 <= row.score <= most


def test_the_best_of_a_question_is_what_the_verifier_or_the_truth_likes_best(drawn):
    store, config, base, traces = drawn
    candidates: dict[int, list] = {}
    for row in traces:
        if row.arm == "base":
            candidates.setdefault(row.question, []).append(row)
    labelled, truth, *_ = (point for point in points(config) if point.base == base)
    rows = make(store, train_point, point_unit(labelled, *PLACE), config)
    scores: dict[int, list[float]] = {}
    for row in rows:
        if row.arm == "read":
            scores.setdefault(row.question, []).append(row.score)
    picks = {row.question: row for row in rows if row.arm == "vb_bon"}
    for question, found in scores.items():
        best = candidates[question][found.index(max(found))]
        assert picks[question].symbols == best.symbols
        assert picks[question].score == max(found)
    for row in make(store, train_point, point_unit(truth, *PLACE), config):
        if row.arm == "truth_bon":
            assert row.reward == max(each.reward for each in candidates[row.question])


def test_a_base_that_is_hardly_right_draws_on_and_at_last_says_so(store):
    config = tiny(base=TINY["base"] | {"num_steps": 1}, num_drawn=None)
    base = bases(config)[0]
    make(store, make_base, model_unit(base, *PLACE), config)
    unit = drawing_unit(base, *PLACE)
    drawn = 8 * num_drawn(base, config)
    with pytest.raises(ValueError, match=f"expected 12 right traces, got 0 of {drawn} .* longer"):
        asyncio.run(draw_from_base(unit, config, UnitContext(store, {}, Counters())))
