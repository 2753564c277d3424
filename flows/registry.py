"""What can be named on the command line: flows, what configs choose from, and known sets.

The only list of flows. Help texts, `stepmill describe`, `stepmill improve`, the test of
`prefect.yaml` and the test of the docs read it. Loops, experiments and variants are not listed
here: loops come from `schemas/loops/`, experiments from `schemas/experiments/`, variants from the
unions of the configs. Configs are imported when they are asked for, so that a command that runs one
flow defines the configs of no other.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from typing import Any, Generic, Literal, Protocol, TypeVar

from schemas.base import FrozenConfig
from schemas.fields import summary_of, variants_of

_Value = TypeVar("_Value")

_EXPERIMENT = "experiment_"
_REPORT = "stepmill report {run_id} --root {root}"

FlowKind = Literal["line", "stage", "loop", "experiment"]
"""`line` runs all stages of a verifier in order, `stage` one stage, `loop` rounds of stages,
`experiment` other flows, to say which published relations hold."""

_FOLDERS = {"loop": "loops.", "experiment": "experiments."}
"""The packages of kinds of flows that have one, in `flows/`."""


@dataclass(frozen=True, slots=True)
class Flow:
    """A flow that can be run and deployed."""

    name: str
    """Also its name in Prefect, and that of its deployment."""
    function: str
    """Its function, in `module`."""
    config_place: str
    """Its config: the module in `schemas/` and the class, such as `sampling:SamplingJob`."""
    kind: FlowKind = "stage"
    shows_report: bool = False
    """Whether `stepmill run` prints the report of the run at the end."""
    next_commands: tuple[str, ...] = ()
    """Commands to run after it, with places for `{run_id}` and `{root}`."""

    @property
    def module(self) -> str:
        """The module that holds it."""
        name = self.name.removeprefix(_EXPERIMENT) if self.kind == "experiment" else self.name
        return f"flows.{_FOLDERS.get(self.kind, '')}{name}"

    @property
    def config(self) -> type[FrozenConfig]:
        """Its config."""
        return _import(self.config_place)

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return summary_of(self.config)

    def load(self) -> Callable[..., Any]:
        """Import the flow, and with it Prefect, which reads its settings on import."""
        return getattr(import_module(self.module), self.function)


_STAGES = {
    flow.name: flow
    for flow in (
        Flow(
            "factory",
            "factory",
            "factory:FactoryConfig",
            "line",
            shows_report=True,
            next_commands=(
                'stepmill sql --root {root} "select * from cost"',
                'stepmill sql --root {root} "select trajectory_id, correct from trajectories '
                "where strategy = 'sample' limit 5\"",
                "stepmill show --root {root} TRAJECTORY_ID",
            ),
        ),
        Flow("problems", "problems", "problems:ProblemsJob"),
        Flow("documents", "load_documents", "retrieval:DocumentsJob"),
        Flow("pretraining", "pretrain", "pretraining:PretrainingConfig"),
        Flow("sampling", "sample", "sampling:SamplingJob"),
        Flow("imports", "import_solutions", "imports:ImportsJob"),
        Flow("regrading", "regrade", "regrading:RegradingJob"),
        Flow("step_labels", "label_steps", "step_labels:StepLabelsJob"),
        Flow("prm_training", "train_verifier", "prm_training:PrmTrainingJob"),
        Flow("policy_training", "train_policy", "policy_training:PolicyTrainingJob"),
        Flow("scoring", "score", "scoring:ScoringJob"),
        Flow("token_rewards", "reward_tokens", "token_rewards:TokenRewardsJob"),
        Flow("error_paths", "make_error_paths", "error_paths:ErrorPathsJob"),
        Flow("critiques", "critique", "critiques:CritiquesJob"),
        Flow("self_talk", "write_self_talk", "self_talk:SelfTalkJob"),
        Flow("search", "search", "search:SearchJob", next_commands=(_REPORT,)),
        Flow("evaluation", "evaluate", "evaluation:EvaluationJob", next_commands=(_REPORT,)),
        Flow("dataset_export", "build_training_set", "dataset_export:DatasetExportJob"),
    )
}
"""The line and the stages."""

_VARIANTS = {
    "strategy": "search.strategies:Strategy",
    "builder": "dataset_export.builders:Builder",
    "reward": "training.rewards:RewardConfig",
    "grader": "graders:GraderConfig",
    "step labels": "step_labels:StepLabelsConfig",
    "error path": "error_paths:ErrorPath",
    "critic": "critiques:CriticConfig",
    "critique format": "critique_formats:CritiqueFormatConfig",
    "voice": "self_talk:VoiceConfig",
    "problems": "problems:ProblemsConfig",
    "prompt": "prompts:GivenPromptConfig",
    "engine": "engines:EngineConfig",
    "documents": "retrieval:DocumentsConfig",
    "retriever": "retrieval:RetrieverConfig",
    "training method": "training.methods:METHODS",
}
"""Unions of configs on `type`, or configs by their `type`."""

_RECORDS = {"data set": "data_sets:DATA_SETS", "prompt preset": "prompt_presets:PRESETS"}


class Record(Protocol):
    """Something that configs choose by `name`."""

    @property
    def summary(self) -> str:
        """What it is, in one sentence."""
        ...

    @property
    def facts(self) -> dict[str, str]:
        """What is known about it, in words."""
        ...


class _Flows(Mapping[str, Flow]):
    """Every flow by its name; loops and experiments are looked for when a name is no stage's."""

    def __getitem__(self, name: str) -> Flow:
        return _STAGES[name] if name in _STAGES else _all_flows()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(_all_flows())

    def __len__(self) -> int:
        return len(_all_flows())


class _Late(Mapping[str, Mapping[str, _Value]], Generic[_Value]):
    """Mappings by kind, each made when it is first asked for."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __getitem__(self, kind: str) -> Mapping[str, _Value]:
        return _members(self._places[kind])

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


FLOWS: Mapping[str, Flow] = _Flows()
"""Every flow by its name."""

VARIANTS: Mapping[str, Mapping[str, type[FrozenConfig]]] = _Late(_VARIANTS)
"""What configs choose from by `type`: for each kind the config of each variant, by its name."""

RECORDS: Mapping[str, Mapping[str, Record]] = _Late(_RECORDS)
"""What configs choose from by `name`: for each kind the record of each, by its name."""


def flow_named(name: str, kind: FlowKind | None = None) -> Flow:
    """A flow by its name.

    Raises:
        ValueError: no flow has this name and kind.
    """
    if name not in FLOWS or kind not in (None, FLOWS[name].kind):
        known = [flow.name for flow in FLOWS.values() if kind in (None, flow.kind)]
        raise ValueError(
            f"there is no {kind or 'flow'} {name!r}: expected one of {', '.join(known)}"
            f"{suggest(name, known)}"
        )
    return FLOWS[name]


def names_of(kind: str) -> list[str]:
    """The names of everything of a kind: `flow`, or a kind of flow, variant or record.

    An experiment has a shorter name than its flow. Variants that are not offered are left out.
    """
    if kind == "experiment":
        flows = [flow for flow in FLOWS.values() if flow.kind == kind]
        return [flow.name.removeprefix(_EXPERIMENT) for flow in flows]
    if kind in VARIANTS:
        return [name for name, config in VARIANTS[kind].items() if config.is_offered]
    if kind in RECORDS:
        return list(RECORDS[kind])
    return [flow.name for flow in FLOWS.values() if kind in ("flow", flow.kind)]


def find_records(name: str) -> list[tuple[str, Record]]:
    """Every record with this name, and its kind."""
    return [(kind, records[name]) for kind, records in RECORDS.items() if name in records]


def find_configs(name: str) -> list[tuple[str, type[FrozenConfig]]]:
    """Every flow and variant with this name: its kind, and its config; records have none.

    Raises:
        ValueError: nothing has this name, no record either.
    """
    found: list[tuple[str, type[FrozenConfig]]] = []
    if name in FLOWS:
        found.append((FLOWS[name].kind, FLOWS[name].config))
    found += [(kind, variants[name]) for kind, variants in VARIANTS.items() if name in variants]
    if not found and not find_records(name):
        known = {*FLOWS}.union(*VARIANTS.values(), *RECORDS.values())
        raise ValueError(
            f"there is nothing called {name!r}: expected a flow, variant, data set or preset, "
            f"which `stepmill describe` lists{suggest(name, known)}"
        )
    return found


def suggest(name: str, known: Any) -> str:
    """The known names that are most like a mistyped one, as the end of a message."""
    close = get_close_matches(name, sorted(known), n=3)
    return f"; did you mean {' or '.join(close)}?" if close else ""


@cache
def _all_flows() -> dict[str, Flow]:
    """Stages, then loops, then experiments."""
    from schemas.experiments import experiment_configs
    from schemas.loops import loop_configs

    loops = (Flow(name, name, _place(config), "loop") for name, config in loop_configs().items())
    experiments = (
        Flow(
            config.flow_name(),
            config.flow_name(),
            _place(config),
            "experiment",
            next_commands=(_REPORT,),
        )
        for config in experiment_configs().values()
    )
    return {**_STAGES, **{flow.name: flow for flow in (*loops, *experiments)}}


@cache
def _members(place: str) -> Mapping[str, Any]:
    found = _import(place)
    return found if isinstance(found, Mapping) else variants_of(found)


def _place(config: type[FrozenConfig]) -> str:
    return f"{config.__module__.removeprefix('schemas.')}:{config.__name__}"


def _import(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"schemas.{module}"), name)
