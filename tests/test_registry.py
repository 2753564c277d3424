"""Registries, help, deployments and docs have the same names; none is missing."""

import importlib
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
import yaml

import flows.commands
import flows.experiments
import flows.loops
import tasks.dataset_export.builders
import tasks.search.strategies
import tasks.training.methods
import tasks.training.rewards
from flows.cli import COMMANDS, summary_of
from flows.registry import FLOWS, RECORDS, VARIANTS, find_configs, names_of
from schemas.dataset_export.builders import BuilderConfig, Reads
from schemas.experiments import ExperimentConfig, experiment_configs
from schemas.fields import variants_of
from schemas.graders import GraderConfig
from schemas.loops import LoopConfig, loop_configs
from schemas.rows import TABLES
from schemas.search.strategies import STRATEGY_CONFIGS, SWEEP, StrategyConfig, strategy_of
from schemas.training.methods import METHODS as TRAINING_METHODS
from tasks.dataset_export.build import find_builder
from tasks.graders import GRADERS, make_grader
from tasks.search.strategies.registry import STRATEGIES

PROJECT = Path(__file__).parents[1]
METHODS = list(TRAINING_METHODS)
VIEWS = [path.stem for path in sorted((PROJECT / "storage" / "sql").glob("*.sql"))]
PAGES = {
    "docs/configs.md": [
        *(name for name in names_of("flow") if FLOWS[name].kind != "experiment"),
        *names_of("grader"),
    ],
    "docs/experiments.md": names_of("experiment"),
    "docs/loops.md": names_of("loop"),
    "docs/search.md": names_of("strategy"),
    "docs/training-sets.md": names_of("builder"),
    "docs/policy-training.md": [*METHODS, *names_of("reward")],
    "docs/grading.md": names_of("grader"),
    "docs/data-sets.md": [*names_of("data set"), *names_of("prompt preset")],
    "docs/error-paths.md": [*names_of("error path"), *names_of("critic")],
    "docs/step-labels.md": names_of("step labels"),
    "docs/store-layout.md": [*TABLES, *VIEWS],
}
LOOP_PARTS = {"critique_training", "critiquing", "loop"}
"""Modules of `flows/loops/` that are not loops."""
EXPERIMENT_PARTS = {"critic_training", "experiment"}
"""Modules of `flows/experiments/` that are not experiments."""


def printed(done):
    """What a command has printed that went well."""
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_all(names, todo):
    """Fail with a line for each of these names, which says what to do."""
    lines = [todo.format(name=name) for name in names]
    assert not lines, "\n".join(["something is missing:", *lines])


def check_same(declared, found, *, missing, unknown):
    """Fail where a name is declared and not found (`missing`), or found and not declared."""
    check_all([name for name in declared if name not in set(found)], missing)
    check_all([name for name in found if name not in set(declared)], unknown)


def names_in(text):
    """Every word between backquotes, in a block of code, or in bold."""
    marked = re.findall(r"```.*?```|`[^`\n]+`|\*\*[^*\n]+\*\*", text, re.DOTALL)
    patterns = (r"[\w-]+", r"[\w-]+\.[\w-]+")
    return {word for part in marked for pattern in patterns for word in re.findall(pattern, part)}


def modules_of(package):
    return {found.name for found in pkgutil.iter_modules(package.__path__)}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_names_everything_of_its_subject(page):
    known = names_in((PROJECT / page).read_text(encoding="utf-8"))
    check_all(
        [name for name in PAGES[page] if name not in known],
        f"{page} does not name `{{name}}`: add a line that says what it is, its name in backquotes",
    )


def test_the_docs_name_every_command():
    texts = [path.read_text(encoding="utf-8") for path in (PROJECT / "docs").glob("*.md")]
    known = names_in("\n\n".join([*texts, (PROJECT / "README.md").read_text("utf-8")]))
    check_all(
        [name for name in COMMANDS if name not in known],
        "no page of docs/ names the command `{name}`: say on one what it does, in backquotes",
    )


def test_every_flow_is_deployed_and_nothing_else():
    plan = yaml.safe_load((PROJECT / "prefect.yaml").read_text(encoding="utf-8"))
    deployed = {each["name"]: each["entrypoint"] for each in plan["deployments"]}
    expected = {name: f"{flow.module}:{flow.function}" for name, flow in FLOWS.items()}
    check_all(
        [
            f"`name: {name}` and `entrypoint: {expected[name]}`"
            for name in expected.keys() - deployed
        ],
        "prefect.yaml has no deployment of a flow: add one with {name}, as of the others",
    )
    check_all(
        deployed.keys() - expected,
        "prefect.yaml deploys {name}, which is neither a line of `_STAGES` in flows/registry.py "
        "nor the `name` of a config in schemas/loops/ or schemas/experiments/",
    )
    assert deployed == expected


@pytest.mark.parametrize("name", FLOWS)
def test_a_flow_has_its_name_and_takes_its_config(name):
    flow = FLOWS[name].load()
    assert flow.name == name
    hints = flow.fn.__annotations__
    assert FLOWS[name].config in (hints.get("job"), hints.get("config"))
    assert FLOWS[name].summary


def test_every_loop_is_a_config_and_a_module_of_its_name():
    check_same(
        loop_configs(),
        modules_of(flows.loops) - LOOP_PARTS,
        missing="the loop {name} of schemas/loops/ needs flows/loops/{name}.py, with its flow",
        unknown="flows/loops/{name}.py needs a config in schemas/loops/ whose `name` is '{name}'",
    )
    assert list(loop_configs()) == names_of("loop")
    for name, config in loop_configs().items():
        assert issubclass(config, LoopConfig)
        assert config.next_command.format(model="M", root="R", run_id="I").startswith("stepmill ")
        assert FLOWS[name].module == f"flows.loops.{name}"


def test_every_experiment_is_a_config_and_a_module_of_its_name():
    check_same(
        experiment_configs(),
        modules_of(flows.experiments) - EXPERIMENT_PARTS,
        missing="the experiment {name} of schemas/experiments/ needs flows/experiments/{name}.py, "
        "with its flow experiment_{name}",
        unknown="flows/experiments/{name}.py needs a config in schemas/experiments/ whose `name` "
        "is '{name}'",
    )
    assert list(experiment_configs()) == names_of("experiment")
    for name, config in experiment_configs().items():
        assert issubclass(config, ExperimentConfig)
        assert FLOWS[f"experiment_{name}"].module == f"flows.experiments.{name}"


def test_every_strategy_has_a_function_in_the_registry():
    registry = "tasks/search/strategies/registry.py"
    check_same(
        [config.__name__ for config in STRATEGY_CONFIGS.values()],
        [config.__name__ for config in STRATEGIES],
        missing=f"STRATEGIES in {registry} needs a line for {{name}}",
        unknown=f"{{name}} is in {registry} and not in the union `Strategy` of "
        "schemas/search/strategies.py",
    )
    check_same(
        STRATEGY_CONFIGS,
        modules_of(tasks.search.strategies) - {"registry"},
        missing="the strategy {name} needs tasks/search/strategies/{name}.py, with its coroutine",
        unknown="tasks/search/strategies/{name}.py needs a config of that `type` in the union "
        "`Strategy` of schemas/search/strategies.py",
    )
    for name, config in STRATEGY_CONFIGS.items():
        assert STRATEGIES[config].__module__ == f"tasks.search.strategies.{name}"
    assert all(issubclass(config, StrategyConfig) for config in STRATEGIES)


def test_every_builder_has_a_module_of_its_name_with_the_same_signature():
    check_same(
        VARIANTS["builder"],
        modules_of(tasks.dataset_export.builders),
        missing="the builder {name} needs tasks/dataset_export/builders/{name}.py, with `build`",
        unknown="tasks/dataset_export/builders/{name}.py needs a config of that `type` in the "
        "union `Builder` of schemas/dataset_export/builders.py",
    )
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
        assert builder.reads in get_args(Reads)
        assert builder.keeps


@pytest.mark.parametrize(
    ("package", "declared", "union", "constant"),
    [
        (tasks.training.methods, METHODS, "METHODS of schemas/training/methods.py", "TRAINER"),
        (
            tasks.training.rewards,
            names_of("reward"),
            "the union `RewardConfig` of schemas/training/rewards.py",
            "REWARD",
        ),
    ],
)
def test_every_training_method_and_reward_has_a_module_of_its_name(
    package, declared, union, constant
):
    folder = package.__name__.replace(".", "/")
    check_same(
        declared,
        modules_of(package),
        missing=f"`type: {{name}}` needs {folder}/{{name}}.py, which ends in `{constant} = ...`",
        unknown=f"{folder}/{{name}}.py needs a config of that `type` in {union}",
    )
    for name in declared:
        module = importlib.util.find_spec(f"{package.__name__}.{name}")
        assert module is not None
        text = Path(str(module.origin)).read_text(encoding="utf-8")
        assert f"\n{constant} = " in text, f"{folder}/{name}.py: expected a line `{constant} = ...`"


def test_every_grader_can_be_made():
    check_same(
        [config.__name__ for config in variants_of(GraderConfig).values()],
        [config.__name__ for config in GRADERS],
        missing="GRADERS in tasks/graders/__init__.py needs a line for {name}",
        unknown="{name} is in GRADERS of tasks/graders/__init__.py and not in the union "
        "`GraderConfig` of schemas/graders.py",
    )
    for name, config in variants_of(GraderConfig).items():
        grader = make_grader(config())
        assert grader.name.startswith(name)
        grader.close()


def test_the_sweep_is_what_the_strategies_say():
    assert [type(each) for each in SWEEP] == [c for c in STRATEGY_CONFIGS.values() if c.in_sweep]


def test_solve_rates_count_the_candidates_of_every_independent_strategy_and_no_other():
    statement = (PROJECT / "storage" / "sql" / "outcomes.sql").read_text(encoding="utf-8")
    counted = re.search(r"regexp_matches\(strategy, '\^\(([\w|]+)\)", statement)
    assert counted is not None
    independent = {name for name, config in STRATEGY_CONFIGS.items() if config.is_independent}
    check_same(
        independent,
        counted[1].split("|"),
        missing="{name} says is_independent: name it in storage/sql/solve_rate.sql, at "
        "regexp_matches(strategy, ...)",
        unknown="storage/sql/solve_rate.sql counts {name}, which does not say is_independent",
    )


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
        ("run", ["line", "stage", "loop"]),
        ("improve", ["loop"]),
        ("experiment", ["experiment"]),
        ("build", ["builder"]),
        ("search", ["strategy"]),
        ("import", ["grader"]),
        ("regrade", ["grader"]),
    ],
)
def test_the_help_of_a_command_lists_what_it_takes(stepmill, command, kinds):
    text = printed(stepmill(command, "--help", COLUMNS="100"))
    words = set(re.findall(r"\w+", text))
    for kind in kinds:
        assert [name for name in names_of(kind) if name not in words] == []
    assert "names of" not in text


def test_describe_lists_every_flow_and_variant_with_a_line(stepmill):
    text = printed(stepmill("describe"))
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.startswith("  ")]
    told = {words[0]: words[-1] for words in lines if len(words) == 2}
    for kind in ("flow", *VARIANTS, *RECORDS):
        for name in names_of(kind):
            assert told.get(name), name


def test_describe_prints_every_field_with_type_default_and_meaning(stepmill):
    text = printed(stepmill("describe", "beam"))
    assert text.startswith("beam (strategy, BeamConfig): Keep the best N / width prefixes")
    assert "width: int >= 1, default 4\n    Continuations of each kept prefix (M)." in text
    text = printed(stepmill("describe", "regrading", COLUMNS="100"))
    for line in (
        'set_name: str like ^[A-Za-z0-9][A-Za-z0-9_-]{0,49}$, default "eval"',
        "    type: exact - Answers that are strings: right when equal after normalisation.",
        "        ignore_case: bool, default false",
    ):
        assert line in text.splitlines()
    choices = f"grader: {' | '.join(names_of('grader'))}, default math"
    assert choices in " ".join(text.split())  # in as many lines as the width takes


def test_describe_gives_programs_the_whole_config(stepmill):
    text = printed(stepmill("describe", "search", "--format", "json"))
    (search,) = json.loads(text)
    assert (search["name"], search["kind"], search["config"]) == ("search", "stage", "SearchJob")
    fields = {field["name"]: field for field in search["fields"]}
    assert list(fields) == list(FLOWS["search"].config.model_fields)
    assert [each["type"] for each in fields["strategies"]["configs"]] == names_of("strategy")
    assert fields["budgets"]["default"] == [16]
    assert all(field["meaning"] for field in search["fields"])


def test_a_name_of_several_things_describes_all_of_them(stepmill):
    assert [kind for kind, _ in find_configs("rest_em")] == ["loop", "builder"]
    text = printed(stepmill("describe", "rest_em"))
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
        (("experiment", "serch"), "there is no experiment 'serch': expected one of "),
        (("experiment", "serch"), "did you mean search"),
        (("improve", "search"), "there is no loop 'search': expected one of rest, rest_em"),
    ],
)
def test_a_mistyped_name_is_answered_with_close_ones(stepmill, arguments, message):
    done = stepmill(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


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
