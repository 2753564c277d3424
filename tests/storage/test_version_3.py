"""A store that version 3 wrote: it opens, its figures stay the same, and its runs resume.

Run `first` is a factory run with a regraded set and a built training set; `searched` is a search,
`imported` an import, `improved` a loop. The figures are those that version 3 itself reported.
"""

import json
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.runs.search_units import search_plan
from schemas.engines import VLLMConfig
from schemas.factory import FactoryConfig
from schemas.rows import SCHEMA_VERSION, TRAJECTORIES
from schemas.search import SearchJob
from schemas.unit_names import TreesName
from storage import Store, connect, query
from storage.inspection import inspect

_STORE = Path(__file__).parents[1] / "fixtures" / "store-v3.tar.gz"
_FIRST = {
    "train_problems": {"num_problems": 24},
    "eval_problems": {"num_problems": 10},
    "eval_sampling": {"num_samples": 4},
    "prm_training": {"max_steps": 60},
    "evaluation": {"budgets": [1, 4], "num_bootstrap": 100},
}
_POLICY, _VERIFIER, _REST = (
    "world-policy-c161f91c36",
    "verifier-730d0c3d2e",
    "rest-r1-0e542287bc",
)


@pytest.fixture
def old(tmp_path) -> Store:
    """The store, unpacked."""
    with tarfile.open(_STORE) as archive:
        archive.extractall(tmp_path, filter="data")
    return Store(tmp_path / "store", create=False)


@pytest.fixture
def where_it_was_made(old) -> Iterator[None]:
    """The store, also at the place where it was made: there its search has its verifier."""
    verifier = recorded_job(old).verifier
    assert isinstance(verifier, VLLMConfig)
    made_in = Path(verifier.model).parents[1]
    missing = [folder for folder in made_in.parents if not folder.exists()]
    try:
        made_in.parent.mkdir(parents=True, exist_ok=True)
        made_in.symlink_to(old.root)
    except OSError as error:
        pytest.skip(f"{made_in}, where the store was made, cannot be made again: {error}")
    yield
    made_in.unlink()
    for folder in missing:
        folder.rmdir()


def ask(store: Store, sql: str) -> list[tuple]:
    return query(connect(store.url), sql).fetchall()


def files_of(store: Store) -> set[str]:
    return {path for path in store.files_root.files() if path.endswith(".parquet")}


def test_every_view_answers_and_every_file_is_whole(old):
    connection = connect(old.url)
    views = "select view_name from duckdb_views() where not internal"
    counts = {
        name: len(query(connection, f"select * from {name}").fetchall())
        for (name,) in query(connection, views).fetchall()
    }
    assert counts["trajectories"] == counts["graded"] == counts["whole_solutions"] == 610
    found = {
        name: counts[name]
        for name in ("curves", "cost", "pass_at_k", "run_state", "search_accuracy", "solve_rate")
    }
    assert found == {
        "curves": 3040, "cost": 15, "pass_at_k": 16, "run_state": 25, "search_accuracy": 33,
        "solve_rate": 82,
    }  # fmt: skip
    found = {
        name: counts[name]
        for name in ("label_balance", "rounds", "sampled_solutions", "units", "solution_scores")
    }
    assert found == {
        "label_balance": 13, "rounds": 3, "sampled_solutions": 188, "units": 86,
        "solution_scores": 44,
    }  # fmt: skip
    assert query(connection, "select * from skipped_files").fetchall() == []
    inspection = inspect(old, deep=True)
    assert (inspection.unusable, inspection.newer, inspection.unmarked) == ({}, {}, {})


def test_what_it_cost(old):
    columns = (
        "run_id, stage, strategy, role, model, num_rows, prompt_tokens, cached_tokens, "
        "generated_tokens, scored_tokens, round(engine_s, 3), num_kept"
    )
    assert ask(old, f"select {columns} from cost order by all") == [
        ("first", "sampling", "sample", None, _POLICY, 64, 1220, 0, 2360, 0, 2.094, 29),
        ("first", "scoring", "score", None, _VERIFIER, 40, 0, 692, 0, 2588, 0.18, 40),
        (
            "first", "step_labels", "rollout", "rollout", _POLICY,
            209, 9204, 6560, 3859, 0, 1.107, 106,
        ),
        ("imported", "imports", "imported", None, "solved", 4, 0, 0, 0, 0, 0.0, 2),
        ("imported", "imports", "score", None, "scores", 4, 0, 0, 0, 0, 0.0, 4),
        ("improved", "sampling", "sample", None, _REST, 20, 376, 0, 727, 0, 0.097, 10),
        ("improved", "sampling", "sample", None, _POLICY, 100, 1136, 0, 3623, 0, 0.482, 44),
        ("searched", "search", "beam", None, _VERIFIER, 0, 0, 0, 0, 1246, 1.156, 0),
        ("searched", "search", "beam", None, _POLICY, 85, 1829, 1248, 908, 0, 0.842, 11),
        ("searched", "search", "best_of_n", None, _VERIFIER, 0, 0, 0, 0, 812, 0.753, 0),
        ("searched", "search", "best_of_n", None, _POLICY, 24, 209, 96, 773, 0, 0.717, 8),
        ("searched", "search", "lookahead", "lookahead", _VERIFIER, 0, 0, 0, 0, 1126, 1.045, 0),
        (
            "searched", "search", "lookahead", "lookahead", _POLICY,
            32, 5473, 4192, 567, 0, 0.526, 0,
        ),
        ("searched", "search", "lookahead", None, _VERIFIER, 0, 0, 0, 0, 66, 0.061, 0),
        ("searched", "search", "lookahead", None, _POLICY, 72, 1433, 896, 726, 0, 0.674, 11),
    ]  # fmt: skip


def test_pass_at_k(old):
    columns = "run_id, strategy, split, k, round(pass_at_k, 6), num_problems"
    assert ask(old, f"select {columns} from pass_at_k order by all") == [
        ("first", "sample", "dev", 1, 0.45, 10),
        ("first", "sample", "dev", 2, 0.7, 10),
        ("first", "sample", "dev", 4, 1.0, 10),
        ("first", "sample", "train", 1, 0.458333, 24),
        ("imported", "imported", "test", 1, 0.5, 2),
        ("imported", "imported", "test", 2, 1.0, 2),
        ("improved", "sample", "dev", 1, 0.5, 10),
        ("improved", "sample", "dev", 1, 0.5, 10),
        ("improved", "sample", "dev", 2, 0.6, 10),
        ("improved", "sample", "dev", 2, 0.7, 10),
        ("improved", "sample", "train", 1, 0.425, 20),
        ("improved", "sample", "train", 2, 0.591667, 20),
        ("improved", "sample", "train", 4, 0.75, 20),
        ("searched", "best_of_n", "dev", 1, 0.333333, 6),
        ("searched", "best_of_n", "dev", 2, 0.527778, 6),
        ("searched", "best_of_n", "dev", 4, 0.666667, 6),
    ]


def test_the_state_of_its_runs(old):
    assert ask(old, "select distinct state from run_state") == [("completed",)]
    whole = "select run_id, flow, config_hash from run_state where part is null order by all"
    assert ask(old, whole) == [
        ("first", "factory", "4bc793fee2e0"),
        ("improved", "rest", "9fd079775417"),
    ]
    parts = "select flow, part from run_state where run_id = 'first' order by all"
    assert ask(old, parts) == [
        ("dataset_export", "rest_em-9a68fd69f01a"),
        ("evaluation", "eval-c45df3d2e378"),
        ("evaluation", "labels-train-1ed9dc4dff2a"),
        ("factory", None),
        ("prm_training", "verifier-b0b95c5f4059"),
        ("problems", "eval"),
        ("problems", "train"),
        ("regrading", "eval-bd28f3a66d9e"),
        ("sampling", "eval"),
        ("sampling", "train"),
        ("scoring", "eval-b34dec69cb9c4c50"),
        ("step_labels", "train"),
    ]


def test_its_curves(old):
    sums = "run_id, stage, count(*), round(sum(value), 4), count(distinct metric)"
    assert ask(old, f"select {sums} from curves group by all order by all") == [
        ("first", "evaluation", 1676, 7174.0603, 24),
        ("improved", "evaluation", 90, 476.2, 8),
        ("improved", "policy_training", 8, 2867.2019, 8),
        ("improved", "rest", 57, 2920.2309, 13),
        ("searched", "search", 1209, 101806.1768, 14),
    ]
    accuracies = (
        "select verifier, strategy, round(value, 6) from curves where run_id = 'first' "
        "and metric = 'accuracy' and bin = 'all' and budget = 4 order by all"
    )
    assert ask(old, accuracies) == [
        (_VERIFIER, "best_of_n[last]", 0.4),
        (_VERIFIER, "best_of_n[mean]", 0.4),
        (_VERIFIER, "best_of_n[min]", 0.4),
        (_VERIFIER, "best_of_n[prod]", 0.4),
        (_VERIFIER, "filter[min]", 0.575),
        (_VERIFIER, "gated[min]", 0.5),
        (_VERIFIER, "likelihood+logit[min]", 0.6),
        (_VERIFIER, "weighted[last]", 0.6),
        (_VERIFIER, "weighted[mean]", 0.6),
        (_VERIFIER, "weighted[min]", 0.6),
        (_VERIFIER, "weighted[prod]", 0.625),
        (None, "likelihood[mean]", 0.6),
        (None, "likelihood[sum]", 0.6),
        (None, "majority", 0.55),
        (None, "pass", 1.0),
    ]


def test_roles_are_columns_of_its_rows(old):
    found = ask(
        old, "select stage, strategy, role, count(*) from trajectories group by all order by all"
    )
    assert found == [
        ("imports", "imported", None, 4),
        ("sampling", "sample", None, 184),
        ("search", "beam", None, 85),
        ("search", "best_of_n", None, 24),
        ("search", "lookahead", "lookahead", 32),
        ("search", "lookahead", None, 72),
        ("step_labels", "rollout", "rollout", 209),
    ]
    for path in sorted(files_of(old)):
        if path.startswith(f"{TRAJECTORIES.name}/"):
            seen = {(row.strategy, row.role) for row in old.read(path)}
            assert seen <= {(strategy, role) for _, strategy, role, _ in found}
            assert all("ahead" not in strategy.split() for strategy, _ in seen)


def test_reading_it_changes_nothing(old):
    ask(old, "select count(*) from graded")
    assert json.loads((old.root / "stepmill.json").read_text()) == {"schema_version": 3}


def recorded_job(store: Store) -> SearchJob:
    [(config,)] = ask(store, "select config from runs where flow = 'search' and state = 'started'")
    return SearchJob.model_validate_json(config)


def test_the_cells_of_its_search_have_the_same_names(old):
    stored = old.files(TRAJECTORIES.name, run_id="searched", stage="search")
    plan = search_plan(recorded_job(old), "searched")
    assert sorted(plan) == sorted(str(TreesName.of(path).cell) for path in stored)


def test_its_search_continues_and_finds_everything(old, where_it_was_made, prefect_server):
    from flows.search import search

    before = files_of(old)
    path = search(recorded_job(old), old.url, "searched")
    assert path in before
    new = files_of(old) - before
    assert {path.split("/")[0] for path in new} == {"runs"}
    assert Store(old.url).schema_version == SCHEMA_VERSION


@pytest.mark.ray
@pytest.mark.slow
def test_its_factory_continues_and_finds_everything(old, prefect_server, local_ray):
    from flows.factory import factory

    # The later verdicts on its solutions would be measured.
    shutil.rmtree(old.root / "verdicts")
    before = files_of(old)
    path = factory(FactoryConfig.from_partial(_FIRST), old.url, "first")
    assert path in before
    assert {path.split("/")[0] for path in files_of(old) - before} == {"runs"}
