"""A store's card: `load_dataset` reads a table by its name, and strangers' files stay."""

import pytest

from schemas.loops import RestLoopConfig
from schemas.rows import TRAJECTORIES
from storage.dataset_card import CARD, put_card
from storage.runs import recorded_run


def test_load_dataset_reads_a_table_of_a_store_by_its_name(
    store, unit_of, make_trajectory, tmp_path, monkeypatch
):
    for run in ("a", "b"):
        rows = [make_trajectory(f"{run}{i}") for i in range(2)]
        store.commit(unit_of(TRAJECTORIES.name, run_id=run), rows)
    with recorded_run(store, "a", "rest", RestLoopConfig()):
        pass
    import datasets

    loaded = datasets.load_dataset(
        store.url, "trajectories", split="train", cache_dir=str(tmp_path / "cache")
    )
    assert sorted(loaded["trajectory_id"]) == ["a0", "a1", "b0", "b1"]
    runs = datasets.load_dataset(store.url, "runs", split="train", cache_dir=str(tmp_path / "c2"))
    assert sorted(runs["state"]) == ["completed", "started"]
    with pytest.raises(ValueError, match="'problems' not found"):
        datasets.load_dataset(store.url, "problems", cache_dir=str(tmp_path / "c3"))


def test_the_card_follows_the_tables_and_leaves_a_readme_of_others(
    store, unit_of, make_trajectory, make_problem
):
    place = store.root / CARD
    store.commit(unit_of(TRAJECTORIES.name), [make_trajectory("t")])
    put_card(store)
    assert "config_name: problems" not in place.read_text()
    store.commit(unit_of("problems"), [make_problem("p")])
    put_card(store)
    assert "config_name: problems" in place.read_text()
    place.write_text("# Mine\n")
    put_card(store)
    assert place.read_text() == "# Mine\n"
