"""Nothing is forgotten: registries, help, deployments and docs have the same names."""

import importlib
import json
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import flows.commands
import flows.loops
import tasks.dataset_export.builders
import tasks.search.strategies
from flows.cli import COMMANDS, summary_of
from flows.registry import FLOWS, VARIANTS, find_configs, names_of
from schemas.dataset_export.builders import BuilderConfig
from schemas.fields import variants_of
from schemas.graders import GraderConfig
from schemas.loops import LoopConfig, loop_configs
from schemas.rows import TABLES
from schemas.search.strategies import STRATEGY_CONFIGS, SWEEP, StrategyConfig, strategy_of
from schemas.training.methods import METHODS as TRAINING_METHODS
from tasks.dataset_export.build import find_builder
from tasks.graders import make_grader
from tasks.search.strategies.registry import STRATEGIES

PROJECT = Path(__file__).parents[1]
METHODS = list(TRAINING_METHODS)
VIEWS = [path.stem for path in sorted((PROJECT / "storage" / "sql").glob("*.sql"))]
PAGES = {
    "docs/configs.md": names_of("flow"),
    "docs/loops.md": names_of("loop"),
    "docs/search.md": names_of("strategy"),
    "docs/training-sets.md": names_of("builder"),
    "docs/policy-training.md": METHODS,
    "docs/grading.md": names_of("grader"),
    "docs/store-layout.md": [*TABLES, *VIEWS],
}
LOOP_PARTS = {"loop"}
"""Modules of `flows/loops/` that are not loops."""


def stepmill(*arguments):
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        check=False,
        text=True,
        cwd=PROJECT,
        env={**os.environ, "COLUMNS": "100"},
    )
    return done.returncode, done.stdout, done.stderr


def names_in(text):
    """Every word between backquotes, in a block of code, or in bold."""
    marked = re.findall(r"```.*?```|`[^`\n]+`|\*\*[^*\n]+\*\*", text, re.DOTALL)
    return {word for part in marked for word in re.findall(r"[\w-]+", part)}


def modules_of(package):
    return {found.name for found in pkgutil.iter_modules(package.__path__)}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_everything_of_its_subject(page):
    known = names_in((PROJECT / page).read_text(encoding="utf-8"))
    assert [name for name in PAGES[page] if name not in known] == []


def test_the_docs_name_every_command():
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT / "docs").glob("*.md")]
    known = names_in("\n\n".join([*texts, (PROJECT / "README.md").read_text("utf-8")]))
    assert [name for name in COMMANDS if name not in known] == []


def test_every_flow_is_deployed_and_nothing_else():
    plan = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))
    deployed = {each["name"]: each["entrypoint"] for each in plan["deployments"]}
    assert deployed == {name: f"{flow.module}:{flow.function}" for name, flow in FLOWS.items()}


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_has_its_name_and_takes_its_config(name):
    flow = FLOWS[name].load()
    assert flow.name == name
    hints = flow.fn.__annotations__
    assert FLOWS[name].config in (hints.get("job"), hints.get("config"))
    assert FLOWS[name].summary


def test_every_loop_is_a_config_and_a_module_of_its_name():
    assert set(loop_configs()) == modules_of(flows.loops) - LOOP_PARTS == set(names_of("loop"))
    for name, config in loop_configs().items():
        assert issubclass(config, LoopConfig)
        assert config.next_command.format(model="M", root="R", run_id="I").startswith("stepmill ")
        assert FLOWS[name].module == f"flows.loops.{name}"


def test_every_strategy_has_a_function_in_the_registry():
    assert set(STRATEGIES) == set(STRATEGY_CONFIGS.values())
    modules = {function.__module__.rpartition(".")[2] for function in STRATEGIES.values()}
    assert modules == modules_of(tasks.search.strategies) - {"registry"} == set(STRATEGY_CONFIGS)
    assert all(issubclass(config, StrategyConfig) for config in STRATEGIES)


def test_every_builder_has_a_module_of_its_name_with_the_same_signature():
    assert set(VARIANTS["builder"]) == modules_of(tasks.dataset_export.builders)
    for config in VARIANTS["builder"].values():
        assert issubclass(config, BuilderConfig)
        build = find_builder(config.model_validate({}))
        source, given = build.__code__.co_varnames[: build.__code__.co_argcount]
        assert (source, given) == ("source", "config")
        assert build.__annotations__["config"] is config


def test_every_builder_says_what_it_is():
    for config in VARIANTS["builder"].values():
        builder = config.model_validate({})
        assert isinstance(builder, BuilderConfig)
        assert builder.form in ("prompt_completion", "preference", "prompt_only", "stepwise")
        assert builder.reads in ("solutions", "grades", "scores", "labels", "trees")
        assert builder.keeps


def test_every_grader_can_be_made():
    for name, config in variants_of(GraderConfig).items():
        grader = make_grader(config())
        assert grader.name.startswith(name)
        grader.close()


def test_the_sweep_is_what_the_strategies_say():
    assert [type(each) for each in SWEEP] == [c for c in STRATEGY_CONFIGS.values() if c.in_sweep]


def test_solve_rates_count_the_candidates_of_every_independent_strategy_and_no_other():
    statement = (PROJECT / "storage" / "sql" / "solve_rate.sql").read_text(encoding="utf-8")
    counted = re.search(r"regexp_matches\(strategy, '\^\(([\w|]+)\)", statement)
    assert counted is not None
    independent = {name for name, config in STRATEGY_CONFIGS.items() if config.is_independent}
    assert set(counted[1].split("|")) == independent


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("beam", "beam"),
        ("beam[width=2]", "beam"),
        ("beam by verifier[min]", "beam"),
        ("beam[width=2] by likelihood+logit[min,0.5]", "beam"),
        ("revisions[template=#1a2b3c]", "revisions"),
        ("lookahead ahead", None),
        ("lookahead[depth=1] ahead", None),
        ("lookahead[depth=1] by verifier[min] ahead", None),
        ("filter_vote judge", None),
        ("sample", None),
    ],
)
def test_a_label_names_the_strategy_whose_solutions_carry_it(label, name):
    found = strategy_of(label)
    assert (found.model_fields["type"].default if found else None) == name


def test_every_command_is_a_module_of_its_name():
    for name in COMMANDS:
        module = importlib.import_module(f"flows.commands.{name}{'_' * (name == 'import')}")
        function = getattr(module, module.__name__.rpartition(".")[2])
        assert summary_of(name) == function.__doc__.partition("\n")[0]
    known = {name.rstrip("_") for name in modules_of(flows.commands)}
    assert known - set(COMMANDS) == {"checks", "exits", "options"}


@pytest.mark.parametrize(
    ("command", "kinds"),
    [
        ("run", ["flow"]),
        ("improve", ["loop"]),
        ("build", ["builder"]),
        ("search", ["strategy"]),
        ("import", ["grader"]),
        ("regrade", ["grader"]),
    ],
)
def test_the_help_of_a_command_lists_what_it_takes(command, kinds):
    code, text, _ = stepmill(command, "--help")
    assert code == 0
    words = set(re.findall(r"\w+", text))
    for kind in kinds:
        assert [name for name in names_of(kind) if name not in words] == []
    assert "names of" not in text


def test_describe_lists_every_flow_and_variant_with_a_line():
    code, text, _ = stepmill("describe")
    assert code == 0
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  ")]
    told = {words[0]: words[-1] for words in lines if len(words) == 2}
    for kind in ("flow", *VARIANTS):
        for name in names_of(kind):
            assert told.get(name), name


def test_describe_prints_every_field_with_type_default_and_meaning():
    code, text, _ = stepmill("describe", "beam")
    assert code == 0
    assert text.startswith("beam (strategy, BeamConfig): Keep the best N / width prefixes")
    assert "width: int >= 1, default 4\n    Continuations of each prefix that is kept (M)." in text
    _, text, _ = stepmill("describe", "regrading")
    for line in (
        'set_name: str like ^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$, default "eval"',
        f"grader: {' | '.join(names_of('grader'))}, default math",
        "    type: exact - Answers that are strings: right when equal after normalisation.",
        "        ignore_case: bool, default false",
    ):
        assert line in text.splitlines()


def test_describe_gives_programs_the_whole_config():
    code, text, _ = stepmill("describe", "search", "--format", "json")
    assert code == 0
    (search,) = json.loads(text)
    assert (search["name"], search["kind"], search["config"]) == ("search", "stage", "SearchJob")
    fields = {field["name"]: field for field in search["fields"]}
    assert list(fields) == list(FLOWS["search"].config.model_fields)
    assert [each["type"] for each in fields["strategies"]["configs"]] == names_of("strategy")
    assert fields["budgets"]["default"] == [16]
    assert all(field["meaning"] for field in search["fields"])


def test_a_name_of_several_things_describes_all_of_them():
    assert [kind for kind, _ in find_configs("rest_em")] == ["loop", "builder"]
    _, text, _ = stepmill("describe", "rest_em")
    assert "rest_em (loop, RestEmLoopConfig)" in text
    assert "rest_em (builder, RestEmConfig)" in text
    assert [kind for kind, _ in find_configs("sft")] == ["training method"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("describe", "bem"), "there is nothing called 'bem'"),
        (("describe", "bem"), "did you mean beam?"),
        (("run", "sampeling"), "expected one of factory"),
        (("run", "sampeling"), "did you mean sampling?"),
        (("improve", "search"), "there is no loop 'search': expected one of rest, rest_em"),
    ],
)
def test_a_mistyped_name_is_answered_with_close_ones(arguments, message):
    code, _, error = stepmill(*arguments)
    assert code == 2
    assert message in error


def test_listing_the_commands_imports_nothing_heavy():
    script = (
        "import sys, flows.cli\n"
        "try:\n    flows.cli.app(['--help'])\n"
        "except SystemExit:\n    pass\n"
        "print(sorted({'pydantic', 'pyarrow', 'prefect', 'torch', 'ray'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, cwd=PROJECT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
