"""Rows of older schema versions in the current columns, as records and in views."""

import json

import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreUnusable
from schemas.rows import SCHEMA_VERSION, TRAJECTORIES, to_table
from schemas.tables import VERSION_KEY
from storage import Store, connect
from storage.compaction import compact, copy_store
from storage.health import read_footer
from storage.roots import open_root

_STRATEGIES = {
    "sample": ("sample", None),
    "rollout": ("rollout", "rollout"),
    "filter_vote": ("filter_vote", None),
    "filter_vote judge": ("filter_vote", "judge"),
    "beam by verifier[last] ahead": ("beam by verifier[last]", "lookahead"),
    "lookahead[depth=1,temperature=1.0] ahead": (
        "lookahead[depth=1,temperature=1.0]",
        "lookahead",
    ),
    "ahead": ("ahead", None),
    "beam ahead of time": ("beam ahead of time", None),
    "judge ahead": ("judge", "lookahead"),
}
"""Strategies as version 3 wrote them, and the same in two columns."""


def make_version_3(store: Store, unit, rows) -> None:
    """Write rows and the marker as version 3 did."""
    table = to_table(TRAJECTORIES, rows).drop_columns(["role"])
    path = store.root / unit.path
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({VERSION_KEY: b"3"}), path)
    (store.root / "stepmill.json").write_text('{"schema_version": 3}\n')


def version_of(store: Store) -> int:
    return json.loads((store.root / "stepmill.json").read_text())["schema_version"]


@pytest.fixture
def old(store, unit_of, make_trajectory):
    """A store of version 3, opened again."""
    rows = [make_trajectory(strategy, strategy=strategy) for strategy in _STRATEGIES]
    make_version_3(store, unit_of("trajectories", "old"), rows)
    return Store(store.url)


def roles(store: Store, table: str = "trajectories") -> dict[str, tuple[str, str | None]]:
    found = connect(store.url).sql(f"select trajectory_id, strategy, role from {table}").fetchall()
    return {name: (strategy, role) for name, strategy, role in found}


def test_roles_of_version_3_are_told_from_the_strategies(old, unit_of):
    records = old.read(unit_of("trajectories", "old").path)
    assert {row.trajectory_id: (row.strategy, row.role) for row in records} == _STRATEGIES
    assert roles(old) == roles(old, "graded") == _STRATEGIES


def test_rows_with_a_role_keep_it_beside_older_ones(old, unit_of, make_trajectory):
    new = {"n": ("beam", "critique"), "m": ("sample", None)}
    unit = unit_of("trajectories", "new")
    old.commit(unit, [make_trajectory(n, strategy=s, role=role) for n, (s, role) in new.items()])
    assert roles(old) == {**_STRATEGIES, **new}
    assert {row.trajectory_id: (row.strategy, row.role) for row in old.read(unit.path)} == new


def test_reading_leaves_the_version_and_a_commit_raises_it(old, unit_of, make_problem):
    old.read(unit_of("trajectories", "old").path)
    roles(old)
    assert (version_of(old), old.schema_version) == (3, 3)
    old.commit(unit_of("problems"), [make_problem()])
    assert (version_of(old), old.schema_version) == (SCHEMA_VERSION, SCHEMA_VERSION)
    assert Store(old.url).schema_version == SCHEMA_VERSION


def test_a_commit_that_finds_the_unit_needs_no_version(old, unit_of, make_trajectory):
    receipt = old.commit(unit_of("trajectories", "old"), [make_trajectory()])
    assert (receipt.was_there, receipt.num_rows) == (True, len(_STRATEGIES))


def test_folding_keeps_what_older_rows_say(old, unit_of, make_trajectory):
    unit = unit_of("trajectories", "older")
    make_version_3(old, unit, [make_trajectory("j", strategy="vote judge")])
    compact(Store(old.url))
    expected = {**_STRATEGIES, "j": ("vote", "judge")}
    assert roles(old) == expected
    (row,) = Store(old.url).read(unit.path)
    assert (row.strategy, row.role) == ("vote", "judge")
    assert version_of(old) == SCHEMA_VERSION


def test_a_copy_is_marked_as_what_it_holds(old, tmp_path):
    copy_store(old, str(tmp_path / "copy"))
    copy = Store(tmp_path / "copy")
    assert (version_of(copy), version_of(old)) == (SCHEMA_VERSION, 3)
    assert roles(copy) == _STRATEGIES


def test_a_store_in_an_object_store_is_raised_too(s3_store, unit_of, make_problem):
    marker = "stepmill.json"
    s3_store.files_root.rewrite(marker, b'{"schema_version": 3}\n')
    store = Store(s3_store.url)
    assert store.schema_version == 3
    store.commit(unit_of("problems"), [make_problem()])
    assert Store(s3_store.url).schema_version == SCHEMA_VERSION


@pytest.mark.parametrize(
    "text", ['{"schema_version":   3,\n "note": "mine"}', '{"schema_version":3}']
)
def test_a_marker_of_any_length_is_raised(store, text):
    (store.root / "stepmill.json").write_text(text)
    old = Store(store.url)
    old.raise_version()
    assert version_of(old) == SCHEMA_VERSION


def test_a_file_of_this_version_says_so(store, unit_of, make_problem):
    unit = unit_of("problems")
    store.commit(unit, [make_problem()])
    assert read_footer(store, unit.path) == (None, SCHEMA_VERSION)


def test_a_root_that_is_not_a_store_is_refused(tmp_path):
    with pytest.raises(StoreUnusable, match=r"is not a store: it has no stepmill\.json"):
        Store(tmp_path, create=False)
    assert open_root(tmp_path).files() == {}


def test_old_columns_of_arrow_are_in_every_view(old):
    columns = connect(old.url).sql("select * from graded").columns
    assert columns == [*TRAJECTORIES.schema.names, "run_id", "stage"]
