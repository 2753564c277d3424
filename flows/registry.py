"""What can be named on the command line: flows, what configs choose from, and known sets.

The only list of flows. Help texts, `stepmill describe`, `stepmill improve`, the test of
`prefect.yaml` and the test of the docs read it. Loops, experiments and variants are not listed
here: loops come from `schemas/loops/`, experiments from `schemas/experiments/`, variants from the
unions of the configs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal, Protocol

from schemas.base import FrozenConfig
from schemas.critique_formats import CritiqueFormatConfig
from schemas.critiques import CriticConfig, CritiquesJob
from schemas.data_sets import DATA_SETS
from schemas.dataset_export import DatasetExportJob
from schemas.dataset_export.builders import Builder
from schemas.engines import EngineConfig
from schemas.error_paths import ErrorPath, ErrorPathsJob
from schemas.evaluation import EvaluationJob
from schemas.experiments import experiment_configs
from schemas.factory import FactoryConfig
from schemas.fields import summary_of, variants_of
from schemas.graders import GraderConfig
from schemas.imports import ImportsJob
from schemas.loops import loop_configs
from schemas.policy_training import PolicyTrainingJob
from schemas.pretraining import PretrainingConfig
from schemas.prm_training import PrmTrainingJob
from schemas.problems import ProblemsConfig, ProblemsJob
from schemas.prompt_presets import PRESETS
from schemas.prompts import GivenPromptConfig
from schemas.regrading import RegradingJob
from schemas.retrieval import DocumentsConfig, DocumentsJob, RetrieverConfig
from schemas.sampling import SamplingJob
from schemas.scoring import ScoringJob
from schemas.search import SearchJob
from schemas.search.strategies import Strategy
from schemas.self_talk import SelfTalkJob, VoiceConfig
from schemas.step_labels import StepLabelsConfig, StepLabelsJob
from schemas.token_rewards import TokenRewardsJob
from schemas.training.methods import METHODS
from schemas.training.rewards import RewardConfig

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
    config: type[FrozenConfig]
    kind: FlowKind = "stage"
    shows_report: bool = False
    """Whether `stepmill run` prints the report of the run at the end."""
    next_commands: tuple[str, ...] = ()
    """Commands to run after it, with places for `{run_id}` and `{root}`."""

    @property
    def module(self) -> str:
        """The module that holds it."""
        name = self.name.removeprefix("experiment_") if self.kind == "experiment" else self.name
        return f"flows.{_FOLDERS.get(self.kind, '')}{name}"

    @property
    def summary(self) -> str:
        """What it does, in one sentence."""
        return summary_of(self.config)

    def load(self) -> Callable[..., Any]:
        """Import the flow, and with it Prefect, which reads its settings on import."""
        return getattr(import_module(self.module), self.function)


_FLOWS = (
    Flow(
        "factory",
        "factory",
        FactoryConfig,
        "line",
        shows_report=True,
        next_commands=(
            'stepmill sql --root {root} "select * from cost"',
            'stepmill sql --root {root} "select trajectory_id, correct from trajectories '
            "where strategy = 'sample' limit 5\"",
            "stepmill show --root {root} TRAJECTORY_ID",
        ),
    ),
    Flow("problems", "problems", ProblemsJob),
    Flow("documents", "load_documents", DocumentsJob),
    Flow("pretraining", "pretrain", PretrainingConfig),
    Flow("sampling", "sample", SamplingJob),
    Flow("imports", "import_solutions", ImportsJob),
    Flow("regrading", "regrade", RegradingJob),
    Flow("step_labels", "label_steps", StepLabelsJob),
    Flow("prm_training", "train_verifier", PrmTrainingJob),
    Flow("policy_training", "train_policy", PolicyTrainingJob),
    Flow("scoring", "score", ScoringJob),
    Flow("token_rewards", "reward_tokens", TokenRewardsJob),
    Flow("error_paths", "make_error_paths", ErrorPathsJob),
    Flow("critiques", "critique", CritiquesJob),
    Flow("self_talk", "write_self_talk", SelfTalkJob),
    Flow("search", "search", SearchJob, next_commands=(_REPORT,)),
    Flow("evaluation", "evaluate", EvaluationJob, next_commands=(_REPORT,)),
    Flow("dataset_export", "build_training_set", DatasetExportJob),
    *(Flow(name, name, config, "loop") for name, config in loop_configs().items()),
    *(
        Flow(
            config.flow_name(),
            config.flow_name(),
            config,
            "experiment",
            next_commands=(_REPORT,),
        )
        for config in experiment_configs().values()
    ),
)

FLOWS: dict[str, Flow] = {flow.name: flow for flow in _FLOWS}
"""Every flow by its name."""

_UNIONS: dict[str, Any] = {
    "strategy": Strategy,
    "builder": Builder,
    "reward": RewardConfig,
    "grader": GraderConfig,
    "step labels": StepLabelsConfig,
    "error path": ErrorPath,
    "critic": CriticConfig,
    "critique format": CritiqueFormatConfig,
    "voice": VoiceConfig,
    "problems": ProblemsConfig,
    "prompt": GivenPromptConfig,
    "engine": EngineConfig,
    "documents": DocumentsConfig,
    "retriever": RetrieverConfig,
}

VARIANTS: dict[str, dict[str, type[FrozenConfig]]] = {
    **{kind: variants_of(union) for kind, union in _UNIONS.items()},
    "training method": dict(METHODS),
}
"""What configs choose from by `type`: for each kind the config of each variant, by its name."""


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


RECORDS: dict[str, Mapping[str, Record]] = {"data set": DATA_SETS, "prompt preset": PRESETS}
"""What configs choose from by `name`: for each kind the record of each, by its name."""


def flow_named(name: str, kind: FlowKind | None = None) -> Flow:
    """A flow by its name.

    Raises:
        ValueError: no flow has this name and kind.
    """
    known = [flow.name for flow in _FLOWS if kind in (None, flow.kind)]
    if name not in known:
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
        return list(experiment_configs())
    if kind in VARIANTS:
        return [name for name, config in VARIANTS[kind].items() if config.is_offered]
    if kind in RECORDS:
        return list(RECORDS[kind])
    return [flow.name for flow in _FLOWS if kind in ("flow", flow.kind)]


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
