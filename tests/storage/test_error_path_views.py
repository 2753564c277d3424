"""The view of solutions made wrong on purpose."""

import pytest

from storage import connect, query


@pytest.fixture
def made(store, unit_of, make_trajectory):
    def path(name, strategy, correct, **fields):
        values = {"role": "error_path", "answer": "4"}
        return make_trajectory(name, strategy=strategy, correct=correct, **{**values, **fields})

    rows = [
        path("a", "rg1", False),
        path("b", "rg1", None, answer=None, status="truncated"),
        path("c", "rg2", True, error_step=1, error_note="it may begin here: or later"),
        path("d", "rg3", False, error_step=0, error_note="sign: 3 - 4: it is taken away"),
        path("e", "rg3", True, error_step=2, error_note="sign: 3 + 4: it is added"),
        path("f", "rg3", False, error_step=2, error_note="arithmetic: 9 instead of 8"),
        path("g", "rg3", None, answer=None, status="error"),
        make_trajectory("h"),
    ]
    store.commit(unit_of("trajectories", stage="error_paths"), rows)
    return store


def test_error_paths_are_counted_by_way_and_kind(made):
    found = query(connect(made.url), "select * exclude (run_id, policy) from error_paths")
    assert found.columns == [
        "strategy",
        "kind",
        "num_paths",
        "num_errors",
        "num_graded",
        "num_wrong",
        "wrong_rate",
        "mean_place",
    ]
    assert found.fetchall() == [
        ("rg1", None, 2, 0, 1, 1, 1.0, None),
        ("rg2", None, 1, 0, 1, 0, 0.0, 1.0),
        ("rg3", "arithmetic", 1, 0, 1, 1, 1.0, 2.0),
        ("rg3", "sign", 2, 0, 2, 1, 0.5, 1.0),
        ("rg3", None, 1, 1, 0, 0, None, None),
    ]


def test_they_are_no_samples(made):
    connection = connect(made.url)
    solutions = query(connection, "select trajectory_id from sampled_solutions").fetchall()
    assert solutions == []
    counted = query(connection, "select distinct trajectory_id from outcomes").fetchall()
    assert counted == [("h",)]
