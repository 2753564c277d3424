"""What every experiment is made of: parts, which are runs of other flows, and what they say.

An experiment needs no bookkeeping of its own: each part is a run with an id of its own
(`RUN.PART`), so a stopped experiment runs again from the start and does only what is missing. It
commits rows of `relations`, and figures of its own as rows of `metrics`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from flows.evaluation import evaluate_labels
from flows.pages.relations import publish_relations
from flows.registry import FLOWS, suggest
from flows.runs.progress import say
from flows.runs.recording import recorded_flow
from schemas.base import FrozenConfig
from schemas.engines import EngineConfig, VLLMConfig
from schemas.evaluation import EvaluationJob
from schemas.experiments import ExperimentConfig
from schemas.experiments.experiment import TRAINED
from schemas.factory import FactoryConfig
from schemas.rows import METRICS, RELATIONS, MeasuredRelation, Metric
from schemas.unit_names import DigestName
from schemas.units import Unit
from storage import Store, connect
from storage.queries import ask
from storage.store import check_name
from tasks.evaluation.relations import measure_relations, part_run
from tasks.models.checkpoints import find_checkpoint

_ALWAYS_NEW = ("created_at", "engine_s")
"""Columns that may differ between two readings of the same figures."""


@contextlib.contextmanager
def open_experiment(
    config: ExperimentConfig, root: str, run_id: str | None
) -> Iterator["Experiment"]:
    """An experiment's run, which is recorded.

    Raises:
        ValueError: a run that stands for a part does not exist, or a part cannot be named.
    """
    _check_parts(Store(root), config, run_id)
    with recorded_flow(config.flow_name(), config, root, run_id) as (store, run_id):
        yield Experiment(config, store, run_id)


def _check_parts(store: Store, config: ExperimentConfig, run_id: str | None) -> None:
    """Refuse parts that cannot be read or named, before any work."""
    for part in config.part_names():
        given = config.parts.get(part)
        if given is None and run_id is not None:
            check_name("run id of a part", part_run(run_id, part))
    if not config.parts:
        return
    with connect(store.url) as connection:
        known = {row["run_id"] for row in ask(connection, "run_states")}
    for part, given in config.parts.items():
        if given not in known:
            raise ValueError(
                f"parts.{part}: expected a run of the store {store.url}, got {given!r}"
                f"{suggest(given, known)}"
            )


class Experiment:
    """The parts of one experiment, and its figures."""

    def __init__(self, config: ExperimentConfig, store: Store, run_id: str) -> None:
        self.config, self.store, self.run_id = config, store, run_id

    def run(self, part: str, config: FrozenConfig) -> Any:
        """Run the flow that has this config, in the run of a part; what the flow returns.

        Several flows may run in one part, such as a search after the line that trained its
        verifier. The experiment's seed is added to the config's. A part that stands for a run of
        the store (`parts`) is not run, and None is returned.

        Raises:
            ValueError: no flow has a config of this class.
        """
        if self.is_given(part):
            say(f"{self.config.name}, {part}: the run {self.part(part)} as it is")
            return None
        found = [flow for flow in FLOWS.values() if flow.config is type(config)]
        if len(found) != 1:
            raise ValueError(f"{type(config).__name__}: expected the config of a flow")
        seed = getattr(config, "seed", None)
        if self.config.seed and isinstance(seed, int):
            config = config.with_fields(seed=seed + self.config.seed)
        names = self.config.part_names()
        place = f" (part {names.index(part) + 1} of {len(names)})" if part in names else ""
        say(f"{self.config.name}, {part}{place}: {found[0].name}")
        return found[0].load()(config, self.store.url, self.part(part))

    def part(self, part: str) -> str:
        """The run id of a part."""
        return self.config.parts.get(part) or part_run(self.run_id, part)

    def is_given(self, part: str) -> bool:
        """Whether a run of the store stands for a part, which is then not run."""
        return part in self.config.parts

    def newest_model(self, part: str, name: str) -> VLLMConfig:
        """The newest model that a part trained under this name, such as `verifier`.

        Raises:
            ValueError: there is none.
        """
        run_id = self.part(part)
        with connect(self.store.url) as connection:
            found = ask(connection, "newest_model_of_run", run_id=run_id, prefix=f"{name}-")
        if not found:
            raise ValueError(f"run {run_id} has no model {name!r}")
        return VLLMConfig(model=find_checkpoint(self.store, found[0]["path"]))

    def verifier_of(
        self, part: str, line: FactoryConfig, given: EngineConfig | None
    ) -> EngineConfig | None:
        """The verifier that a part trains by the line; the given one if it is not `TRAINED`."""
        return self.train_verifier(part, line) if given == TRAINED else given

    def train_verifier(self, part: str, line: FactoryConfig) -> VLLMConfig:
        """The verifier that a part trains by the line."""
        self.run(part, line)
        return self.newest_model(part, line.prm_training.model_name)

    def measure_labels(self, part: str) -> None:
        """Measure the step labels of a part's training solutions, against the truth if known."""
        evaluate_labels(EvaluationJob(), self.store.url, self.part(part), "train")

    def has_figures(self, name: str, *inputs: object) -> bool:
        """Whether `commit_figures` has committed figures of this name with these inputs."""
        return self.store.has(self._figures_unit(name, inputs))

    def figures_path(self, name: str, *inputs: object) -> str:
        """Where `commit_figures` puts figures of this name with these inputs."""
        return self._figures_unit(name, inputs).path

    def commit_figures(self, name: str, rows: Sequence[Metric], *inputs: object) -> str:
        """Commit figures of the experiment's own; the path of the file.

        Args:
            name: of the figures; words joined by `-` or `_`.
            rows: the figures.
            inputs: what they depend on beside the experiment's config, such as files.
        """
        unit = self._figures_unit(name, inputs)
        self.store.commit(unit, rows)
        return unit.path

    def conclude(self) -> str:
        """Compare the figures of all relations, store and show them; the path of the rows."""
        rows = measure_relations(self.store, self.run_id, self.config, self.command())
        known = [repr([v for k, v in asdict(row).items() if k not in _ALWAYS_NEW]) for row in rows]
        unit = Unit(
            run_id=self.run_id,
            stage=self.config.flow_name(),
            name=str(DigestName.derive("relations", *known)),
            table=RELATIONS.name,
        )
        self.store.commit(unit, rows)
        stored: list[MeasuredRelation] = self.store.read(unit.path)
        publish_relations(self.store, self.run_id, self.config.name, stored)
        return unit.path

    def command(self) -> str:
        """The command that runs this experiment, for its rows."""
        return command_of(self.config)

    def _figures_unit(self, name: str, inputs: Sequence[object]) -> Unit:
        return Unit(
            run_id=self.run_id,
            stage=self.config.flow_name(),
            name=str(DigestName.derive(name, self.config.config_hash(), *inputs)),
            table=METRICS.name,
        )


def command_of(config: ExperimentConfig) -> str:
    """The command of an experiment with this config; what differs from its size is set."""
    size = type(config).model_validate({"size": config.size})
    words = ["stepmill experiment", config.name]
    words += ["--quick"] if config.size == "quick" else []
    changes = _differences(size.model_dump(mode="json"), config.model_dump(mode="json"))
    return " ".join([*words, *(f"--set {path}={_yaml(value)}" for path, value in changes)])


def _differences(base: Any, values: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    """The fields that differ, with their paths; of a config of another type the whole."""
    for name, value in values.items():
        path, before = f"{place}{name}", base.get(name)
        if value == before:
            continue
        is_nested = isinstance(value, dict) and isinstance(before, dict)
        if is_nested and value.get("type") == before.get("type"):
            yield from _differences(before, value, f"{path}.")
        else:
            yield path, value


def _yaml(value: Any) -> str:
    import json
    import shlex

    text = value if isinstance(value, str) else json.dumps(value)
    return shlex.quote(text)
