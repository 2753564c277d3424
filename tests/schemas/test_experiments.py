"""Configs of experiments: their sizes, their parts, and the commands that repeat them."""

import shlex
from itertools import pairwise

import pytest

from flows.commands.experiment import flow_of
from flows.commands.run import read_values
from flows.experiments.experiment import command_of
from flows.registry import FLOWS
from schemas.experiments import Combined, ExperimentConfig, SolvedShare, experiment_configs
from schemas.experiments.rest import RestExperimentConfig
from schemas.loops.loop import LoopConfig

CONFIGS = list(experiment_configs().values())


def problems_of(config):
    """The fields of a loop's training problems."""
    return config.loop.train_problems.model_dump()


@pytest.mark.parametrize("config", CONFIGS, ids=lambda each: each.name)
@pytest.mark.parametrize("size", ["quick", "whole"])
def test_relations_have_a_place_and_parts_that_exist(config, size):
    found = config.model_validate({"size": size})
    relations = found.relations()
    assert relations
    assert len({(each.name, each.point) for each in relations}) == len(relations)
    for each in relations:
        assert each.claim
        assert each.paper
        assert each.published
        assert not each.claim.endswith(".")
        page = (each.details or config.details).partition("#")[0]
        assert page.endswith(".md")
    parts = found.part_names()
    assert config.model_validate({"parts": dict.fromkeys(parts, "run")}).parts.keys() == set(parts)


def test_a_part_that_does_not_exist_is_refused():
    with pytest.raises(
        ValueError, match="parts: expected some of line, loop, thresholds, got 'lop'"
    ):
        RestExperimentConfig.from_partial({"parts": {"lop": "run"}})


def test_the_quick_size_lies_under_what_is_given():
    quick = RestExperimentConfig.from_partial({"size": "quick"})
    assert (quick.loop.rounds, problems_of(quick)["num_problems"]) == (1, 200)
    given = {"size": "quick", "loop": {"rounds": 2, "train_problems": {"seed": 5}}}
    mixed = RestExperimentConfig.from_partial(given)
    assert (mixed.loop.rounds, problems_of(mixed)["num_problems"]) == (2, 200)
    assert problems_of(mixed)["seed"] == 5
    assert RestExperimentConfig().loop.rounds == 3


def test_another_kind_of_problems_is_not_mixed_with_the_quick_one():
    problems = {"type": "file", "path": "p.jsonl", "split": "train"}
    given = {"size": "quick", "loop": {"train_problems": problems}}
    config = RestExperimentConfig.from_partial(given)
    assert config.loop.train_problems.type == "file"
    assert config.loop.eval_problems.model_dump()["num_problems"] == 60


def test_a_command_sets_what_differs_from_its_size():
    config = RestExperimentConfig.from_partial(
        {"size": "quick", "seed": 3, "loop": {"rounds": 2}, "parts": {"line": "first"}}
    )
    assert command_of(config) == (
        "stepmill experiment rest --quick --set seed=3 --set parts.line=first --set loop.rounds=2"
    )
    assert command_of(RestExperimentConfig()) == "stepmill experiment rest"


def test_a_command_gives_back_its_config():
    config = RestExperimentConfig.from_partial(
        {
            "size": "quick",
            "loop": {
                "policy": {"model": "my model"},
                "train_problems": {"type": "file", "path": "a b.jsonl", "split": "train"},
                "evaluation": {"budgets": [1, 2]},
            },
        }
    )
    words = shlex.split(command_of(config))
    changes = [word for flag, word in pairwise(words) if flag == "--set"]
    values = read_values(None, changes, {"size": "quick"})
    assert RestExperimentConfig.from_partial(values) == config


def test_an_experiment_is_a_flow_by_its_name():
    for config in CONFIGS:
        assert FLOWS[flow_of(config.name)].config is config
    with pytest.raises(ValueError, match=r"there is no experiment 'rst'.*did you mean rest"):
        flow_of("rst")


def test_a_base_of_experiments_is_none_of_them():
    assert all("name" in vars(config) for config in CONFIGS)
    assert ExperimentConfig not in CONFIGS


def test_an_unknown_kind_of_figure_is_not_forgotten():
    """Every kind of figure that relations use can be read."""
    from tasks.evaluation.relations import _READERS

    def kinds(figure):
        terms = [term for _, term in figure.terms] if isinstance(figure, Combined) else []
        return {type(figure)}.union(*map(kinds, terms))

    used = set().union(
        *(
            kinds(figure)
            for config in CONFIGS
            for relation in config().relations()
            for figure in (relation.larger, relation.smaller)
        )
    )
    assert used <= set(_READERS)


def test_every_relation_is_between_arms_that_its_loop_has():
    sides = []
    for experiment in experiment_configs().values():
        config = experiment()
        loops = {part: each for part, each in config.planned() if isinstance(each, LoopConfig)}
        sides += [
            (experiment.name, side, loops[side.part])
            for relation in config.relations()
            for side in (relation.larger, relation.smaller)
            if isinstance(side, SolvedShare) and side.part in loops
        ]
    assert len(sides) >= 20
    for name, side, loop in sides:
        assert side.arm in loop.arm_names, f"{name}: {loop.name} has no arm {side.arm}"
