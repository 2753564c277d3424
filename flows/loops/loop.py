"""The parts of a loop: each method runs a stage flow with the settings of the loop.

A loop needs no bookkeeping: finished work is found by its units, so a killed loop runs again from
the start and does only what is missing. The loop itself commits only the figures of its policies.
"""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flows.dataset_export import build_training_set
from flows.evaluation import evaluate
from flows.pages.rounds import publish_rounds, set_row, training_figures
from flows.policy_training import train_policy
from flows.problems import problems
from flows.runs.progress import say
from flows.runs.reading import reading_units
from flows.runs.recording import recorded_flow
from flows.runs.units import run_on_engines
from flows.sampling import sample
from flows.scoring import score
from schemas.dataset_export import ChecksConfig, DatasetExportJob, SourceConfig
from schemas.dataset_export.builders import Builder, RestConfig
from schemas.engines import RoleConfig, VLLMConfig
from schemas.evaluation import EvaluationJob
from schemas.loops import LoopConfig, RoundsConfig
from schemas.policy_training import PolicyMethod, PolicyTrainingJob
from schemas.problems import ProblemsJob
from schemas.rows import METRICS, STEP_SCORES, Metric, ModelRole, TableSpec
from schemas.sampling import SamplingJob
from schemas.scoring import ScoringJob
from schemas.unit_names import SolutionsGroup
from schemas.units import Stage, Unit
from storage import Store
from storage.rounds import grown_counts
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Work
from tasks.engines.open import identify_engine
from tasks.engines.pool import EnginePool, open_pool
from tasks.engines.task import unit_task
from tasks.evaluation.rounds import made_from, pass_at_1, round_rows

TRAIN, EVAL = "train", "eval"
"""The names of a loop's sets of problems."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The solutions that a policy sampled in a round."""

    number: int
    policy: str


@dataclass(slots=True)
class Arm:
    """One variant of a loop, and the latest policy it has made."""

    name: str
    policy: VLLMConfig
    reached: list[float] = field(default_factory=list)
    """The figure by which policies are compared, of each so far, the first policy's first."""
    policies: list[VLLMConfig] = field(default_factory=list)
    compared_by: str = "pass@1"
    """The name of that figure."""

    @property
    def best(self) -> VLLMConfig:
        """The policy with the highest figure."""
        return self.policies[max(range(len(self.reached)), key=self.reached.__getitem__)]


@contextlib.contextmanager
def open_loop(config: LoopConfig, root: str, run_id: str | None) -> Iterator["Loop"]:
    """A loop's run, which is recorded and keeps its actors from stage to stage."""
    with recorded_flow(config.name, config, root, run_id) as (store, run_id):
        loop = Loop(config, store, run_id)
        loop.load_held_out()
        try:
            yield loop
        finally:
            loop.release()


class Loop:
    """The stages of one loop. Each one finds what earlier attempts at the same run made."""

    def __init__(self, config: LoopConfig, store: Store, run_id: str) -> None:
        self.config, self.store, self.run_id = config, store, run_id
        self.pool: EnginePool | None = None
        """Actors with the policy that was last sampled from; None if none are kept."""
        self._held = contextlib.ExitStack()
        self._sampled: set[tuple[str, int, VLLMConfig]] = set()

    def load_held_out(self) -> None:
        """Load the problems that are measured on: every set is checked against them."""
        config = self.config
        job = ProblemsJob(problems=config.eval_problems, set_name=EVAL, grader=config.grader)
        problems(job, self.store.url, self.run_id)

    def begin(self, name: str) -> Arm:
        """Start an arm with the loop's first policy, measured as round 0.

        Raises:
            ValueError: the loop has no such arm.
        """
        if name not in self.config.arm_names:
            raise ValueError(
                f"{self.config.name}: expected an arm of {', '.join(self.config.arm_names)}, "
                f"got {name!r}"
            )
        arm = Arm(name, self.config.policy)
        self.measure(arm, "0", 0, {})
        return arm

    def grow(self, number: int, policy: VLLMConfig, verifier: VLLMConfig | None = None) -> Grown:
        """Sample solutions of the training problems, and score them if a verifier is given."""
        rounds = self.config.rounds if isinstance(self.config, RoundsConfig) else 0
        if 0 < number <= rounds:
            say(f"{self.config.name}: round {number} of {rounds}")
        self._sample(TRAIN, number, policy)
        if verifier is not None:
            self.score(TRAIN, policy, verifier, number)
        return Grown(number, identify_engine(policy))

    def build(
        self,
        builder: Builder,
        samples: Sequence[Grown],
        *,
        checks: ChecksConfig | None = None,
        max_rows: int | None = None,
    ) -> str:
        """Build a training set from sampled solutions; its name. `checks` replace the loop's."""
        config = self.config
        source = SourceConfig(
            set_names=(TRAIN,),
            splits=config.train_splits,
            rounds=tuple(sorted({each.number for each in samples})),
            policies=tuple(sorted({each.policy for each in samples})),
        )
        job = DatasetExportJob(
            builder=builder,
            source=source,
            checks=checks or config.checks,
            prompt=config.prompt,
            policy=config.policy,
            max_rows=max_rows,
            seed=config.seed,
        )
        return build_training_set(job, self.store.url, self.run_id)

    def build_unfiltered(self, grown: Grown, num_rows: int) -> str:
        """Build the set of a control: `num_rows` solutions, whatever their grades."""
        return self.build(
            RestConfig(by="none", per_problem=None),
            [grown],
            checks=self.config.checks.with_fields(duplicates="keep"),
            max_rows=num_rows,
        )

    def train(
        self,
        policy: VLLMConfig,
        training_set: str,
        method: PolicyMethod,
        name: str,
        role: Literal["policy", "critic"] = "policy",
    ) -> VLLMConfig:
        """Train a new policy, or a critic, from this policy."""
        if self.pool is not None and (
            self.pool.holds_gpus or not self.pool.leaves_cpus(method.num_workers)
        ):
            self.release()  # otherwise the training workers would wait forever
        job = PolicyTrainingJob(
            policy=policy,
            training_set=training_set,
            model_name=name,
            prompt=self.config.prompt,
            grader=self.config.grader,
            method=method,
            role=role,
        )
        folder = train_policy(job, self.store.url, self.run_id)
        return self.config.policy.with_fields(model=folder, revision=None)

    def improve(
        self,
        arm: Arm,
        label: str,
        samples: Sequence[Grown],
        training_set: str,
        method: PolicyMethod,
        *,
        base: VLLMConfig | None = None,
        more: Mapping[str, float] | None = None,
        number: int | None = None,
    ) -> None:
        """Train an arm's last policy, or `base`, on a set, and measure the result.

        Args:
            arm: the arm.
            label: the round, as figures name it.
            samples: the solutions that the set was built from.
            training_set: the set.
            method: how the policy is trained.
            base: what is trained; None for the arm's last policy.
            more: further figures of what the policy was made from.
            number: the round of its held-out solutions; None for that of the last samples.
        """
        arm.policy = self.train(base or arm.policy, training_set, method, f"{arm.name}-r{label}")
        figures = {**self._made_from(samples, training_set, arm.policy), **(more or {})}
        self.measure(arm, label, samples[-1].number if number is None else number, figures)

    def rounds(self, arm: Arm, config: RoundsConfig, improve_steps: int = 1) -> Iterator[int]:
        """The number of each round, until `arm` gains too little in one of this many trainings."""
        for number in range(1, config.rounds + 1):
            yield number
            if self.is_over(arm, config.min_gain, improve_steps):
                return

    def run_round(
        self,
        arm: Arm,
        number: int,
        builder: Builder,
        method: PolicyMethod,
        *,
        base: VLLMConfig | None = None,
    ) -> str:
        """Sample an arm's policy, build a set, train on it and measure; the set's name."""
        grown = self.grow(number, arm.policy)
        built = self.build(builder, [grown])
        self.improve(arm, f"{number}", [grown], built, method, base=base)
        return built

    def score(self, set_name: str, policy: VLLMConfig, verifier: VLLMConfig, number: int) -> None:
        """Score a policy's solutions of a set from one round."""
        self.release()
        config = self.config
        job = ScoringJob(
            set_name=set_name,
            policy=policy,
            verifier=verifier,
            prompt=config.prompt,
            round=number,
            pool=config.pool,
        )
        score(job, self.store.url, self.run_id)

    def have_read(
        self,
        grown: Grown,
        role: ModelRole,
        model: RoleConfig,
        work: Work,
        config: Any,
        table: TableSpec = STEP_SCORES,
        *,
        stage: str = Stage.SCORING,
    ) -> list[str]:
        """Have a model of another role, such as a critic, read a round's solutions.

        Args:
            grown: the solutions.
            role: of the model; `work` finds its engine by `context.engine(role)`.
            model: its engine and prompt.
            work: runs on the actors, once per file of solutions, and returns rows of `table`. The
                inputs of its unit are that file and the file of the problems.
            config: what `work` is given.
            table: what the rows are. Builders read scores of steps.
            stage: the folder of the rows.

        Returns:
            The paths of the files that it made.
        """
        self.release()
        group = SolutionsGroup.of_round(TRAIN, grown.number, grown.policy)
        units = reading_units(
            self.store,
            self.run_id,
            set_name=TRAIN,
            group=group,
            reader=identify_engine(model.engine, role),
            table=table,
            stage=stage,
        )
        engines: dict[str, Any] = {role: model.engine}
        receipts = run_on_engines(
            unit_task(
                work,
                name=f"{role}_reads",
                verb=role,
                description=f"A {role} reads the solutions of a unit.",
            ),
            units,
            config,
            store=self.store,
            engines=EngineSet(**engines, separator=model.prompt.step_rule),
            pool=self.config.pool,
            title=f"{role} {group}",
        )
        return [receipt.path for receipt in receipts]

    def evaluate(self, policy: VLLMConfig, verifier: VLLMConfig | None = None) -> list[Metric]:
        """The figures of a policy's solutions of the held-out problems."""
        job = EvaluationJob(
            set_name=EVAL,
            policy=policy,
            verifier=verifier,
            grader=self.config.grader,
            evaluation=self.config.evaluation,
        )
        return self.store.read(evaluate(job, self.store.url, self.run_id))

    def num_rows(self, training_set: str) -> int:
        """The rows of a set of this run."""
        return set_row(self.store, self.run_id, training_set).num_rows

    def finish(self, arm: Arm) -> str:
        """Show the rounds; the folder of the best policy of an arm."""
        publish_rounds(self.store, self.run_id, self.config.name)
        say(f"{self.config.name}: best policy of {arm.name} by {arm.compared_by}: {arm.best.model}")
        return arm.best.model

    def release(self) -> None:
        """End the actors."""
        self._held.close()
        self.pool = None

    def _sample(self, set_name: str, number: int, policy: VLLMConfig) -> None:
        key = (set_name, number, policy)
        if key in self._sampled:  # arms start from the same policy
            return
        config = self.config
        is_train = set_name == TRAIN
        job = SamplingJob(
            problems=config.train_problems if is_train else config.eval_problems,
            set_name=set_name,
            policy=policy,
            prompt=config.prompt,
            grader=config.grader,
            sampling=config.train_sampling if is_train else config.eval_sampling,
            pool=config.pool,
            seed=config.seed,
            round=number,
        )
        self._hold(policy)
        sample(job, self.store.url, self.run_id)
        self._sampled.add(key)

    def is_over(self, arm: Arm, min_gain: float | None, improve_steps: int = 1) -> bool:
        """Whether the arm's last round, of this many trainings, gained too little for another."""
        gain = arm.reached[-1] - arm.reached[-1 - improve_steps]
        if min_gain is None or gain > min_gain:
            return False
        gained = f"{arm.compared_by} {gain:+.3f}"
        say(f"{arm.name}: {gained}, not more than {min_gain:+.3f}: the last round")
        return True

    def _hold(self, policy: VLLMConfig) -> None:
        """Keep actors with this policy: the current ones if they can switch to it exactly."""
        if self.pool is not None and self.pool.change_policy(policy):
            return
        self.release()
        engines = EngineSet(policy=policy, separator=self.config.prompt.step_rule)
        self.pool = self._held.enter_context(open_pool(self.store.url, engines, self.config.pool))

    def measure(self, arm: Arm, label: str, number: int, figures: Mapping[str, float]) -> None:
        """Sample, evaluate, and commit the figures of an arm's policy."""
        unit = Unit(
            run_id=self.run_id,
            stage=self.config.name,
            name=f"{arm.name}.{label}",
            table=METRICS.name,
        )
        if not self.store.has(unit):
            self._sample(EVAL, number, arm.policy)
            rows = round_rows(arm.name, label, self.evaluate(arm.policy), figures)
            self.store.commit(unit, rows)
        arm.reached.append(pass_at_1(self.store.read(unit.path)))
        arm.policies.append(arm.policy)
        say(f"{self.config.name}, {arm.name}, round {label}: pass@1 {arm.reached[-1]:.3f}")

    def _made_from(
        self, samples: Sequence[Grown], training_set: str, policy: VLLMConfig
    ) -> dict[str, float]:
        """Figures of the solutions and the set that a policy was made from."""
        grown = [
            grown_counts(self.store, self.run_id, each.number, each.policy) for each in samples
        ]
        counts = json.loads(set_row(self.store, self.run_id, training_set).counts)
        return {
            **made_from(grown, counts, self.config.hard_levels),
            **training_figures(self.store, self.run_id, policy.model),
        }
