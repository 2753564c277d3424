"""What is refused before an experiment begins, and the list of what is published."""

import json

import pytest

from flows.commands.experiment import experiment
from flows.experiments.experiment import open_experiment
from flows.runs.named_models import check_models_of
from schemas.experiments import experiment_configs
from schemas.experiments.rest import RestExperimentConfig
from storage.runs import recorded_run


@pytest.fixture
def root(store):
    """A store with one run of a loop."""
    config = RestExperimentConfig().loop
    with recorded_run(store, "loop1", "rest", config):
        pass
    return store.url


@pytest.mark.parametrize(
    ("parts", "run_id", "message"),
    [
        ({"loop": "lop1"}, "r", "parts.loop: expected a run of the store .*did you mean loop1"),
        ({}, "r" * 97, "run id of a part .*expected 1 to 100 letters"),
    ],
)
def test_parts_are_checked_before_anything_is_recorded(root, store, parts, run_id, message):
    config = RestExperimentConfig(parts=parts)
    with pytest.raises(ValueError, match=message), open_experiment(config, root, run_id):
        pass
    assert store.files("runs", run_id=run_id, stage="experiment_rest") == []


def test_a_part_that_is_there_is_not_run(root):
    config = RestExperimentConfig(parts={"loop": "loop1"})
    with open_experiment(config, root, "r") as opened:
        assert opened.run("loop", config.loop) is None
        assert (opened.part("loop"), opened.part("line")) == ("loop1", "r.line")
        with pytest.raises(ValueError, match=r"run r\.line has no model 'verifier'"):
            opened.newest_model("line", "verifier")
        with pytest.raises(ValueError, match="PoolConfig: expected the config of a flow"):
            opened.run("line", config.loop.pool)


@pytest.mark.parametrize("size", ["quick", "whole"])
@pytest.mark.parametrize("name", experiment_configs())
def test_a_model_that_a_part_trains_is_not_looked_for_before(name, size):
    check_models_of(experiment_configs()[name].from_partial({"size": size}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quick": True}, "--quick: expected the name of an experiment with it"),
        ({"change": ["loop.rounds=1"]}, "--set: expected the name of an experiment with it"),
        ({"name": "rest", "table": True}, "--table, --publish: expected no name"),
        ({"name": "rst"}, "there is no experiment 'rst'.*did you mean rest"),
        ({"output": "csv"}, "expected --format table or json, got 'csv'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(root, arguments, message):
    with pytest.raises(ValueError, match=message):
        experiment(**{"name": None, "root": root, **arguments})


def test_what_is_published_is_listed_also_without_a_store(tmp_path, capsys):
    experiment(None, output="json", root=str(tmp_path / "none"))
    listed = json.loads(capsys.readouterr().out)
    assert {"rest", "line", "search"} <= {each["experiment"] for each in listed}
    experiment(None, root=str(tmp_path / "none"))
    assert "REBASE beats sampling" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()
