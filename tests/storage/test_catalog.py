import math
from datetime import UTC, datetime

import duckdb
import pyarrow.parquet as pq
import pytest

from schemas.rows import (
    METRICS,
    TABLES,
    Metric,
    RunEvent,
    RunState,
    StepLabel,
    StepScores,
    Verdict,
    now,
    to_table,
)
from storage import connect, query


def rows(store, sql):
    return query(connect(store.root), sql).fetchall()


def test_an_empty_store_has_every_table_and_view_with_the_right_columns(store):
    connection = connect(store.root)
    for spec in TABLES.values():
        relation = query(connection, f"select * from {spec.name}")
        assert relation.columns == [*spec.schema.names, "run_id", "stage"]
        assert relation.fetchall() == []
    views = "select view_name from duckdb_views() where not internal"
    names = {name for (name,) in query(connection, views).fetchall()}
    assert names >= {"graded", "cost", "curves", "pass_at_k", "run_state", *TABLES}
    for view in names:
        assert query(connection, f"select * from {view}").fetchall() == []


def test_solve_rate_and_pass_at_k_by_hand(store, unit_of, make_problem, make_trajectory):
    """Five and six solutions that count, 2 and 0 right; one cut, one ungraded, one rollout."""
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0"), make_problem("p1")])
    store.commit(
        unit_of("trajectories"),
        [
            *(make_trajectory(f"a{i}", problem_id="p0", correct=i < 2) for i in range(5)),
            *(make_trajectory(f"b{i}", problem_id="p1", correct=False) for i in range(4)),
            *(
                make_trajectory(name, problem_id="p1", correct=None, status=status, answer=answer)
                for name, status, answer in (
                    ("c", "truncated", None),
                    ("d", "truncated", None),
                    ("u", "finished", "7"),
                    ("v", "truncated", "7"),
                    ("e", "error", None),
                )
            ),
            make_trajectory(
                "r", problem_id="p1", strategy="rollout", parent_id="b0", branch_step=1
            ),
        ],
    )
    found = rows(
        store,
        "select problem_id, num_trajectories, num_counted, num_graded, num_correct, num_truncated, "
        "num_answerless, solve_rate from solve_rate order by problem_id",
    )
    assert found == [("p0", 5, 5, 5, 2, 0, 0, 0.4), ("p1", 9, 6, 4, 0, 3, 2, 0.0)]
    found = rows(store, "select k, pass_at_k, num_problems from pass_at_k order by k")
    # p0 has five solutions, fewer than 8, and is measured on those; 9 is the largest that there is.
    assert [(k, n) for k, _, n in found] == [(1, 2), (2, 2), (4, 2), (8, 2), (9, 2)]
    expected = [0.4, 1 - math.comb(3, 2) / math.comb(5, 2), 1.0, 1.0, 1.0]
    assert [value for _, value, _ in found] == pytest.approx([x / 2 for x in expected])


def test_pass_at_k_stays_exact_for_many_samples(store, unit_of, make_problem, make_trajectory):
    store.commit(unit_of("problems", stage="problems"), [make_problem("p0")])
    store.commit(
        unit_of("trajectories"),
        [make_trajectory(f"a{i}", problem_id="p0", correct=i < 3) for i in range(1024)],
    )
    found = dict(rows(store, "select k, pass_at_k from pass_at_k"))
    for k in (1, 64, 512):
        exact = 1 - math.comb(1021, k) / math.comb(1024, k)
        assert found[k] == pytest.approx(exact, abs=1e-9)
    assert found[1024] == 1.0


def step_label(name, index, *, hard, soft=None, completer="policy-0"):
    return StepLabel(
        trajectory_id=name,
        step_index=index,
        method="m",
        completer=completer,
        evidence="rollouts",
        num_rollouts=8,
        num_correct=0,
        soft=soft,
        hard=hard,
        ci_low=None,
        ci_high=None,
    )


def test_label_balance_by_hand(store, unit_of):
    store.commit(
        unit_of("step_labels", stage="step_labels"),
        [
            step_label("a", 0, hard=True, soft=1.0),
            step_label("b", 0, hard=False, soft=0.0),
            step_label("c", 0, hard=None),
            step_label("a", 1, hard=True, soft=0.5),
        ],
    )
    found = rows(
        store,
        "select step_index, num_steps, num_right, num_wrong, num_unlabelled, right_share, "
        "mean_soft, num_rollouts from label_balance order by step_index",
    )
    assert found == [(0, 3, 1, 1, 1, 0.5, 0.5, 24), (1, 1, 1, 0, 0, 1.0, 0.5, 8)]


def test_calibration_and_cost_by_hand(store, unit_of, make_trajectory):
    store.commit(
        unit_of("trajectories"),
        [
            make_trajectory("a", correct=True),
            make_trajectory("b", correct=False),
            make_trajectory("c", correct=None),
        ],
    )
    store.commit(
        unit_of("step_scores", stage="scoring"),
        [
            StepScores(
                trajectory_id=name, verifier="v", scores=scores, scored_tokens=10, cached_tokens=1
            )
            for name, scores in [("a", (0.1, 0.95)), ("b", (0.2, 1.0)), ("c", (0.3, 0.9))]
        ],
    )
    found = rows(
        store,
        "select bin_low, num_trajectories, mean_score, right_share from verifier_calibration",
    )
    assert found == [(0.9, 2, pytest.approx(0.975), 0.5)]
    found = rows(
        store,
        "select stage, strategy, model, num_rows, prompt_tokens, cached_tokens, generated_tokens, "
        "scored_tokens from cost order by stage",
    )
    assert found == [
        ("sampling", "sample", "policy-0", 3, 15, 6, 27, 0),
        ("scoring", "score", "v", 3, 0, 3, 0, 30),
    ]


def test_cost_of_every_stage_by_hand(store, unit_of, make_trajectory):
    """Solutions by two strategies, their rollouts, and the scores of two verifiers."""

    def score(name, verifier, scored_tokens, error=None):
        return StepScores(
            trajectory_id=name,
            verifier=verifier,
            scores=(),
            scored_tokens=scored_tokens,
            cached_tokens=0,
            error=error,
        )

    beam = {"strategy": "beam", "policy": "policy-0"}
    store.commit(
        unit_of("trajectories", "u0"),
        [
            make_trajectory("a", correct=True, generated_tokens=10),
            make_trajectory("b", correct=False, generated_tokens=8),
        ],
        seconds=6.0,
    )
    store.commit(
        unit_of("trajectories", "u1"),
        [
            make_trajectory("c", **beam, correct=True, generated_tokens=9, scored_tokens=20),
            make_trajectory("d", **beam, correct=None, generated_tokens=7, scored_tokens=0),
        ],
        seconds=3.0,
    )
    rollout = {"strategy": "rollout", "parent_id": "a", "correct": True, "generated_tokens": 6}
    store.commit(
        unit_of("trajectories", stage="step_labels"),
        [make_trajectory(f"r{i}", **rollout, branch_step=i) for i in range(3)],
        seconds=4.0,
    )
    labels = [step_label("a", 0, hard=True), step_label("a", 1, hard=False)]
    labels += [step_label("b", 0, hard=None), step_label("b", 1, hard=True, completer="other")]
    store.commit(unit_of("step_labels", stage="step_labels"), labels, seconds=100.0)
    store.commit(
        unit_of("step_scores", "v", stage="scoring"),
        [score("a", "v", 10), score("b", "v", 0, error="too long")],
        seconds=1.5,
    )
    store.commit(unit_of("step_scores", "w", stage="scoring"), [score("a", "w", 30)], seconds=2.5)
    right_after_all = Verdict(
        trajectory_id="b", grader="math", answer="4", correct=True, created_at=now()
    )
    store.commit(unit_of("verdicts", stage="regrade"), [right_after_all])
    found = rows(
        store,
        "select stage, strategy, model, num_rows, generated_tokens, scored_tokens, engine_s, "
        "kept, num_kept, tokens_per_kept from cost order by all",
    )
    assert found == [
        # 9 s over 18 + 36 tokens
        ("sampling", "beam", "policy-0", 2, 16, 20, 6.0, "right solutions", 1, 36.0),
        ("sampling", "sample", "policy-0", 2, 18, 0, 3.0, "right solutions", 2, 9.0),
        # 4 s over 10 + 30 tokens
        ("scoring", "score", "v", 2, 0, 10, 1.0, "scored solutions", 1, 10.0),
        ("scoring", "score", "w", 1, 0, 30, 3.0, "scored solutions", 1, 30.0),
        # labelling itself uses no engine; one label is by another completer, one has no value
        ("step_labels", "rollout", "policy-0", 3, 18, 0, 4.0, "labelled steps", 2, 9.0),
    ]
    key = "run_id, stage, strategy, model"
    assert rows(store, f"select {key} from cost group by {key} having count(*) > 1") == []


def test_a_policy_in_training_is_one_model_whatever_its_step(store, unit_of, make_trajectory):
    drawn = [
        make_trajectory(f"t{step}", policy=f"base-1+grpo-2@{step}", training_step=step)
        for step in (0, 1, 10)
    ]
    named_alike = make_trajectory("u", policy="me@7")
    store.commit(unit_of("trajectories", stage="policy_training"), [*drawn, named_alike])
    found = rows(store, "select model, num_rows, generated_tokens from cost order by model")
    assert found == [("base-1+grpo-2", 3, 27), ("me@7", 1, 9)]


def test_engine_time_is_shared_by_rows_without_tokens_and_null_where_a_file_lacks_it(
    store, unit_of, make_trajectory
):
    failed = {"generated_tokens": 0, "correct": None, "status": "error"}
    store.commit(
        unit_of("trajectories", run_id="failed"),
        [
            *(make_trajectory(f"a{i}", **failed) for i in range(3)),
            make_trajectory("b", **failed, policy="policy-1"),
        ],
        seconds=8.0,
    )
    store.commit(unit_of("trajectories", run_id="old"), [make_trajectory("c")], seconds=1.0)
    older = unit_of("trajectories", "u1", run_id="old")
    table = to_table(TABLES["trajectories"], [make_trajectory("d")])
    pq.write_table(table, store.root / older.path)  # as the first version wrote it
    found = rows(
        store, "select run_id, model, engine_s, num_kept, tokens_per_kept from cost order by all"
    )
    assert found == [
        ("failed", "policy-0", 6.0, 0, None),
        ("failed", "policy-1", 2.0, 0, None),
        ("old", "policy-0", None, 2, 9.0),
    ]


def test_the_newest_event_is_the_state_of_a_run(store, unit_of):
    states: list[tuple[str, RunState]] = [
        ("started", "started"),
        ("failed-1", "failed"),
        ("completed", "completed"),
    ]
    for name, state in states:
        event = RunEvent(
            flow="factory",
            state=state,
            config="{}",
            config_hash="h",
            code_version="1",
            message=None,
            happened_at=now(),
        )
        store.commit(unit_of("runs", name, stage="factory"), [event])
    assert rows(store, "select run_id, flow, state from run_state") == [
        ("run", "factory", "completed")
    ]


def figure(**fields):
    values = {
        "policy": "p",
        "verifier": None,
        "strategy": "majority",
        "budget": 4,
        "bin": "all",
        "metric": "accuracy",
        "value": 0.5,
        "ci_low": 0.4,
        "ci_high": 0.6,
        "num_problems": 10,
    }
    return Metric(**{**values, **fields})


def test_curves_hold_every_metric(store, unit_of):
    store.commit(unit_of(METRICS.name, stage="evaluation"), [figure()])
    assert rows(store, "select strategy, budget, value from curves") == [("majority", 4, 0.5)]


def test_a_figure_is_in_curves_once_as_it_was_measured_last(store, unit_of):
    """A second verifier remeasures figures that need no verifier; another set stays separate."""
    for index, verifier in enumerate(("v", "w")):
        store.commit(
            unit_of(METRICS.name, name=f"eval-{verifier}", stage="evaluation"),
            [
                figure(value=0.5 + index / 4, set_name="eval", created_at=at(index)),
                figure(
                    strategy="weighted[min]",
                    value=0.7,
                    verifier=verifier,
                    set_name="eval",
                    created_at=at(index),
                ),
                figure(metric="labelled_steps", budget=None, set_name="eval", created_at=at(index)),
            ],
        )
    train = figure(set_name="train", value=0.125, created_at=at(0))
    store.commit(unit_of(METRICS.name, name="train", stage="evaluation"), [train])
    found = rows(
        store,
        "select set_name, metric, strategy, verifier, budget, value from curves order by all",
    )
    assert found == [
        ("eval", "accuracy", "majority", None, 4, 0.75),
        ("eval", "accuracy", "weighted[min]", "v", 4, 0.7),
        ("eval", "accuracy", "weighted[min]", "w", 4, 0.7),
        ("eval", "labelled_steps", "majority", None, None, 0.5),
        ("train", "accuracy", "majority", None, 4, 0.125),
    ]
    key = "run_id, set_name, policy, verifier, strategy, budget, bin, metric"
    assert rows(store, f"select {key} from curves group by {key} having count(*) > 1") == []


def test_figures_without_a_time_are_the_oldest(store, unit_of):
    """The first version of the store wrote neither set nor time."""
    old, new = figure(value=0.1), figure(value=0.9, created_at=at(0))
    for name, row in (("a", new), ("b", old), ("c", old)):
        store.commit(unit_of(METRICS.name, name=name, stage="evaluation"), [row])
    assert rows(store, "select value, set_name from curves") == [(0.9, None)]


def at(hour):
    return datetime(2026, 1, 1, hour, tzinfo=UTC)


@pytest.mark.parametrize(
    "sql",
    [
        "create table t as select 1",
        "copy (select 1) to 'x.parquet'",
        "attach 'other.db'",
        "install httpfs",
        "set threads = 1",
        "drop view trajectories",
        "select 1; select 2",
        "",
    ],
)
def test_only_one_reading_statement_gets_through(store, sql):
    with pytest.raises(ValueError, match="expected"):
        query(connect(store.root), sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_text('/etc/passwd')",
        "select * from read_csv('/etc/passwd')",
        "select * from glob('/etc/*')",
        "select * from read_parquet('https://example.org/x.parquet')",
    ],
)
def test_nothing_outside_the_root_can_be_read(store, sql):
    with pytest.raises(duckdb.Error):
        query(connect(store.root), sql).fetchall()


def test_a_root_with_odd_characters_works(tmp_path, unit_of, make_trajectory):
    from storage import Store

    store = Store(tmp_path / "it's [a] *store*")
    store.commit(unit_of("trajectories"), [make_trajectory("a")])
    assert rows(store, "select trajectory_id from trajectories") == [("a",)]


def test_a_numeric_run_id_stays_text(store, unit_of, make_trajectory):
    store.commit(unit_of("trajectories", run_id="2026"), [make_trajectory("a")])
    assert rows(store, "select run_id from trajectories") == [("2026",)]
