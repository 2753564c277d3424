"""The experiment `weak_to_strong`: strong models taught by weak ones (arXiv:2312.09390).

Deviations from the paper: a policy's soft labels are several samples of the weak policy, which are
all imitated; a verifier's are its scores of steps.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from flows.experiments.experiment import Experiment, open_experiment
from flows.runs.late_flow import flow
from flows.runs.progress import say
from flows.runs.recording import name_run
from flows.runs.sets import problems_path, sampled_files, score_files
from flows.runs.sized_policies import pretrained
from flows.runs.truth import known_kinds
from schemas.dataset_export import ChecksConfig, DatasetExportJob, SourceConfig
from schemas.dataset_export.builders import Builder, RestConfig
from schemas.dataset_export.weak_builders import WeakLabelsConfig, WorkedConfig
from schemas.engines import VLLMConfig
from schemas.experiments.weak_to_strong import WeakToStrongConfig
from schemas.policy_training import PolicyTrainingJob
from schemas.prm_training import VERIFIER_CHECKS, PrmTrainingJob
from schemas.problems import ProblemsJob
from schemas.rows import PROBLEMS, Metric, Problem, Trajectory
from schemas.sampling import SamplingConfig
from schemas.scoring import ScoringJob
from schemas.step_labels import StepLabelsJob
from schemas.training.confidence import ConfidenceConfig
from schemas.units import Stage, Unit
from tasks.engines.engine_set import EngineSet
from tasks.engines.open import identify_engine
from tasks.engines.pool import EnginePool, open_pool
from tasks.evaluation.solutions.truth import check_solutions
from tasks.evaluation.statistics.curves import FloatArray
from tasks.evaluation.weak_to_strong import (
    CEILING,
    CONFIDENT,
    STUDENT,
    WEAK,
    gap_figures,
    solved_shares,
    verifier_shares,
)
from tasks.pretraining.sizes import check_sizes
from tasks.problems.halves import halve

_TRUTH, _TAUGHT, _EVAL = "half_1", "half_2", "eval"
"""The sets: learned from the truth, labelled by the weak model, measured on."""
_POLICY, _VERIFIER = "policy", "verifier"
"""The parts, by what learns in them."""
_ROUND = 0
"""Several policies solve the same set, which the store allows with rounds."""


@flow(name="experiment_weak_to_strong", flow_run_name=name_run)
def experiment_weak_to_strong(
    config: WeakToStrongConfig, root: str, run_id: str | None = None
) -> str:
    """Teach strong models by weak ones and by the truth; the path of the relations."""
    check_sizes({"weak": config.weak, "strong": config.strong})
    with open_experiment(config, root, run_id) as experiment:
        path = experiment.run(
            "problems",
            ProblemsJob(problems=config.problems, set_name="train", grader=config.grader),
        )
        halves = halve(experiment.store.read(path))
        for part in config.learners:
            _share_out(experiment, config, part, halves)
        models = {
            name: pretrained(experiment, name, size, config.pretraining)
            for name, size in (("weak", config.weak), ("strong", config.strong))
        }
        study = _Study(experiment, config, models["weak"], models["strong"], halves)
        if _POLICY in config.learners:
            study.teach_policies()
        if _VERIFIER in config.learners:
            study.teach_verifiers()
        return experiment.conclude()


def _share_out(
    experiment: Experiment,
    config: WeakToStrongConfig,
    part: str,
    halves: tuple[list[Problem], list[Problem]],
) -> None:
    """Commit the halves, and what is measured on, as sets of a part."""
    held_out = ProblemsJob(problems=config.eval_problems, set_name=_EVAL, grader=config.grader)
    experiment.run(part, held_out)
    for set_name, half in zip((_TRUTH, _TAUGHT), halves, strict=True):
        unit = Unit(
            run_id=experiment.part(part),
            stage=Stage.PROBLEMS,
            name=set_name,
            table=PROBLEMS.name,
        )
        if not experiment.store.has(unit):
            experiment.store.commit(unit, half)


class _Study:
    """The trainings of one experiment, and their figures."""

    def __init__(
        self,
        experiment: Experiment,
        config: WeakToStrongConfig,
        weak: VLLMConfig,
        strong: VLLMConfig,
        halves: tuple[list[Problem], list[Problem]],
    ) -> None:
        self.experiment, self.config = experiment, config
        self.weak, self.strong = weak, strong
        self.splits = tuple(sorted({p.split for half in halves for p in half}))

    def teach_policies(self) -> None:
        """Imitation: of worked solutions, and of what a policy that did so writes."""
        worked = self._build(_POLICY, WorkedConfig(), _TRUTH, ChecksConfig(test_sets=(_EVAL,)))
        models = {
            WEAK: self._imitate(self.weak, worked, WEAK),
            CEILING: self._imitate(self.strong, worked, CEILING),
        }
        with self._pool(models[WEAK]):
            self._sample(_POLICY, _TAUGHT, models[WEAK], self.config.taught_sampling, round=_ROUND)
            self._sample(_POLICY, _EVAL, models[WEAK], self.config.eval_sampling, round=_ROUND)
        taught = self._build(
            _POLICY,
            RestConfig(by="none", per_problem=None),
            _TAUGHT,
            # Each solution weighs as often as the weak policy writes it.
            ChecksConfig(test_sets=(_EVAL,), duplicates="keep"),
            rounds=(_ROUND,),
            policies=(identify_engine(models[WEAK]),),
        )
        models[STUDENT] = self._imitate(self.strong, taught, STUDENT)
        models[CONFIDENT] = self._imitate(
            self.strong, taught, CONFIDENT, confidence=self.config.confidence
        )
        with self._pool(models[STUDENT]) as pool:
            for arm in (STUDENT, CONFIDENT, CEILING):
                pool.change_policy(models[arm])
                self._sample(_POLICY, _EVAL, models[arm], self.config.eval_sampling, round=_ROUND)
        names = {arm: identify_engine(each) for arm, each in models.items()}
        commit_policies(self.experiment, self.config, names)

    def teach_verifiers(self) -> None:
        """Steps: with the truth, and with the scores of a verifier that learned it."""
        config, experiment = self.config, self.experiment
        with self._pool(self.strong):
            for set_name, sampling in (
                (_TRUTH, config.judged_sampling),
                (_TAUGHT, config.judged_sampling),
                (_EVAL, config.eval_sampling),
            ):
                self._sample(_VERIFIER, set_name, self.strong, sampling)
            experiment.run(
                _VERIFIER,
                StepLabelsJob(
                    set_name=_TRUTH,
                    policy=self.strong,
                    prompt=config.prompt,
                    grader=config.grader,
                    labels=config.labels,
                    pool=config.pool,
                ),
            )
        folders = {
            WEAK: self._train_verifier(self.weak, WEAK),
            CEILING: self._train_verifier(self.strong, CEILING),
        }
        weak = VLLMConfig(model=folders[WEAK])
        self._score(_TAUGHT, weak)
        taught = self._build(
            _VERIFIER,
            WeakLabelsConfig(),
            _TAUGHT,
            VERIFIER_CHECKS.with_fields(test_sets=(_EVAL,)),
            verifier=identify_engine(weak, "verifier"),
        )
        folders[STUDENT] = self._train_verifier(self.strong, STUDENT, taught)
        folders[CONFIDENT] = self._train_verifier(
            self.strong, CONFIDENT, taught, confidence=config.confidence
        )
        verifiers = {arm: VLLMConfig(model=folder) for arm, folder in folders.items()}
        for verifier in verifiers.values():
            self._score(_EVAL, verifier)
        names = {arm: identify_engine(each, "verifier") for arm, each in verifiers.items()}
        commit_verifiers(experiment, config, names, identify_engine(self.strong))

    def _sample(
        self,
        part: str,
        set_name: str,
        policy: VLLMConfig,
        sampling: SamplingConfig,
        round: int | None = None,
    ) -> None:
        job = self.config.sampling_job(set_name, policy, sampling, round)
        self.experiment.run(part, job)

    def _build(
        self,
        part: str,
        builder: Builder,
        set_name: str,
        checks: ChecksConfig,
        *,
        rounds: tuple[int, ...] | None = None,
        policies: tuple[str, ...] | None = None,
        verifier: str | None = None,
    ) -> str:
        """The name of a set of solutions of one half."""
        source = SourceConfig(
            set_names=(set_name,),
            splits=self.splits,
            rounds=rounds,
            policies=policies,
            verifier=verifier,
        )
        job = DatasetExportJob(
            builder=builder,
            source=source,
            checks=checks,
            prompt=self.config.prompt,
            policy=self.strong,
        )
        return self.experiment.run(part, job)

    def _imitate(
        self,
        base: VLLMConfig,
        training_set: str,
        name: str,
        *,
        confidence: ConfidenceConfig | None = None,
    ) -> VLLMConfig:
        method = self.config.imitation.with_fields(confidence=confidence)
        job = PolicyTrainingJob(
            policy=base,
            training_set=training_set,
            model_name=name,
            prompt=self.config.prompt,
            grader=self.config.grader,
            method=method,
        )
        return base.with_fields(model=self.experiment.run(_POLICY, job))

    def _train_verifier(
        self,
        base: VLLMConfig,
        name: str,
        training_set: str | None = None,
        *,
        confidence: ConfidenceConfig | None = None,
    ) -> str:
        """The folder of a verifier that learned the truth, or a set of weak labels."""
        config = self.config
        recipe = config.verifier_training.with_fields(
            base_model=base.model,
            model_name=name,
            targets="hard" if training_set is None else "soft",
            confidence=confidence,
        )
        job = PrmTrainingJob(
            set_names=(_TRUTH,),
            policy=self.strong,
            prompt=config.prompt,
            method=config.labels.method,
            training=recipe,
            training_set=training_set,
            checks=VERIFIER_CHECKS.with_fields(test_sets=(_EVAL,)),
        )
        return self.experiment.run(_VERIFIER, job)

    def _score(self, set_name: str, verifier: VLLMConfig) -> None:
        config = self.config
        job = ScoringJob(
            set_name=set_name,
            policy=self.strong,
            verifier=verifier,
            prompt=config.prompt,
            pool=config.pool,
        )
        self.experiment.run(_VERIFIER, job)

    @contextlib.contextmanager
    def _pool(self, policy: VLLMConfig) -> Iterator[EnginePool]:
        """Actors with a policy, which the samplings inside share."""
        engines = EngineSet(policy=policy, separator=self.config.prompt.step_rule)
        with open_pool(self.experiment.store.url, engines, self.config.pool) as pool:
            yield pool


def commit_policies(
    experiment: Experiment, config: WeakToStrongConfig, names: Mapping[str, str]
) -> None:
    """Commit the figures of the policies' samples, unless they are there.

    Args:
        experiment: its part `policy` holds the samples.
        config: the intervals.
        names: by model, its id.
    """
    store, run = experiment.store, experiment.part(_POLICY)
    files = sampled_files(store, run, _EVAL)
    if experiment.has_figures(_POLICY, *files):
        return
    problems: list[Problem] = store.read(problems_path(run, _EVAL))
    rows: list[Trajectory] = [row for path in files for row in store.read(path)]
    shares = {
        arm: solved_shares(problems, [row for row in rows if row.policy == name])
        for arm, name in names.items()
    }
    figures = gap_figures(shares, config.evaluation, strategy=_POLICY, policies=names)
    _commit(experiment, _POLICY, figures, files)


def commit_verifiers(
    experiment: Experiment, config: WeakToStrongConfig, names: Mapping[str, str], policy: str
) -> None:
    """Commit the figures of the verifiers' scores, unless they are there.

    Args:
        experiment: its part `verifier` holds the samples and scores.
        config: the intervals.
        names: by model, its id.
        policy: the id of the policy whose solutions were scored.
    """
    store, run = experiment.store, experiment.part(_VERIFIER)
    files = sampled_files(store, run, _EVAL)
    scored = {arm: score_files(store, run, files, name) for arm, name in names.items()}
    inputs = [*files, *(path for paths in scored.values() for path in paths)]
    if experiment.has_figures(_VERIFIER, *inputs):
        return
    path = problems_path(run, _EVAL)
    problems: list[Problem] = store.read(path)
    rows: list[Trajectory] = [row for file in files for row in store.read(file)]
    kinds = known_kinds(store, path)
    truth = check_solutions(problems, rows, kinds) if kinds else {}
    by_arm: dict[str, dict[str, FloatArray]] = {
        arm: verifier_shares(problems, rows, [each for p in paths for each in store.read(p)], truth)
        for arm, paths in scored.items()
    }
    figures: list[Metric] = []
    for measure in by_arm[WEAK]:
        shares = {arm: found[measure] for arm, found in by_arm.items()}
        if any(np.isnan(values).all() for values in shares.values()):
            continue  # no exact checker knows the truth about steps
        figures += gap_figures(
            shares,
            config.evaluation,
            strategy=measure,
            policies=dict.fromkeys(names, policy),
            verifiers=names,
        )
    _commit(experiment, _VERIFIER, figures, inputs)


def _commit(
    experiment: Experiment, name: str, figures: Sequence[Metric], inputs: Sequence[str]
) -> None:
    experiment.commit_figures(name, figures, *inputs)
    gaps = {row.strategy for row in figures if row.metric == "gap_recovered"}
    for strategy in sorted({row.strategy for row in figures} - gaps):
        say(f"weak_to_strong, {strategy}: the ceiling is not above the weak model: no gap")
