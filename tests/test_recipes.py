"""Recipes: each is a valid config of its flow, and is planned without a model or a store."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from flows.commands.run import flow_in, read_config
from flows.registry import FLOWS
from flows.runs.forecast_flows import forecast
from flows.tables.forecast import total_of
from schemas.problems import NamedProblemsConfig

PROJECT = Path(__file__).resolve().parents[1]
RECIPES = sorted((PROJECT / "recipes").glob("*.yaml"))
by_recipe = pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)


def config_of(path):
    flow = flow_in(path)
    assert flow is not None
    return read_config(FLOWS[flow].config, path, [])


def in_a_process(*arguments, cwd):
    """Run a command that ends with a list of the heavy libraries it has imported."""
    script = (
        "import sys\nfrom flows.cli import app\n"
        "try:\n    app(sys.argv[1:])\nexcept SystemExit as end:\n    code = end.code\n"
        "heavy = {'prefect', 'ray', 'vllm', 'torch', 'transformers', 'datasets'}\n"
        "print('imported:', sorted(heavy & set(sys.modules)))\nsys.exit(code)"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )


def test_there_is_a_recipe_of_every_published_set_up():
    names = " ".join(path.stem for path in RECIPES)
    for part in (
        "search-and-learn-llama-3.2-1b-best-of-n",
        "search-and-learn-llama-3.2-1b-beam",
        "search-and-learn-llama-3.2-1b-dvts",
        "search-and-learn-llama-3.2-3b-dvts",
        "math-shepherd",
        "rlhflow-prm",
        "qwen2.5-math-prm",
        "rest-em",
        "r3",
        "mathcritique",
        "large-language-monkeys",
    ):
        assert part in names


@by_recipe
def test_a_recipe_is_a_config_of_its_flow(path):
    config = config_of(path)
    sets = [value for _, value in config if isinstance(value, NamedProblemsConfig)]
    assert sets
    known = type(config).model_fields
    written = yaml.safe_load(path.read_text())
    assert set(written) - {"flow"} <= set(known)


@by_recipe
def test_a_recipe_says_where_it_was_read_and_claims_nothing(path):
    head = path.read_text().split("flow:")[0]
    assert f"recipes/{path.name}" in head
    assert "Read in " in head
    assert "o result stands here" in head
    assert not re.search(r"\d+(\.\d+)?\s?%", path.read_text())


@by_recipe
def test_a_recipe_is_planned(path):
    stages = forecast(config_of(path))
    whole = total_of(stages)
    assert all(stage.units > 0 for stage in stages)
    assert 0 < whole.tokens <= whole.max_tokens
    assert whole.num_bytes > 0


def test_a_dry_run_starts_nothing_and_writes_nothing(tmp_path):
    recipe = PROJECT / "recipes" / "search-and-learn-llama-3.2-1b-beam.yaml"
    done = in_a_process(
        "run",
        "--dry-run",
        "--config",
        recipe,
        "--tokens-per-second",
        "5000",
        "--set",
        "budgets=[4]",
        "--root",
        "store",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert "search beam N=4" in done.stdout
    row = next(line for line in done.stdout.splitlines() if "beam N=4" in line).split()
    # 500 problems of 4 candidates of 512 tokens, at most 40 steps of 2,048.
    assert row[3:8] == ["2", "4,000", "2,000", "1.0M", "163.8M"]
    assert row[-2:] == ["0.06", "9.10"]
    assert "imported: []" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_commands_of_their_own_are_planned_too(stepmill, tmp_path):
    searched = stepmill("search", "--strategy", "dvts", "--n", "4,8", "--dry-run", cwd=tmp_path)
    assert searched.returncode == 0, searched.stderr
    assert "search dvts N=8" in searched.stdout
    loop = PROJECT / "recipes" / "rest-em.yaml"
    improved = stepmill(
        "improve", "rest_em", "--config", loop, "--rounds", "1", "--dry-run", cwd=tmp_path
    )
    assert "240.0k" in improved.stdout  # 7,500 problems of 32 solutions, once
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "sampling", "--dry-run", "--config", "REST"), "a config of sampling, got one of"),
        (("improve", "rest", "--dry-run", "--config", "REST"), "a config of rest, got one of"),
        (("run", "--tokens-per-second", "5"), "expected them with --dry-run"),
        (("run", "--dry-run", "--tokens-per-second", "0"), "expected more than 0, got 0"),
        (("run", "--dry-run", "--set", "seeds=1"), "seeds: no such field"),
        (("run", "scoring", "--dry-run", "--set", "policy={type: markov}"), "verifier: expected"),
    ],
)
def test_a_plan_that_cannot_be_made_is_refused(stepmill, tmp_path, arguments, message):
    rest = str(PROJECT / "recipes" / "rest-em.yaml")
    done = stepmill(*(rest if word == "REST" else word for word in arguments), cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flow: [sampling]\n", "flow: expected the name of a flow, got ['sampling']"),
        ("flow: sampeling\n", "there is no flow 'sampeling'"),
        ("flow: {\n", "expected YAML, got something else"),
    ],
)
def test_a_file_that_names_no_flow_is_refused(stepmill, tmp_path, text, message):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    done = stepmill("run", "--dry-run", "--config", file, cwd=tmp_path)
    assert done.returncode != 0
    assert message in done.stderr


def test_a_file_without_a_flow_is_for_the_one_that_is_named(stepmill, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("train_problems: {num_problems: 7}\n")
    assert flow_in(file) is None
    done = stepmill("run", "--dry-run", "--config", file, cwd=tmp_path)
    assert "step labels" in done.stdout
