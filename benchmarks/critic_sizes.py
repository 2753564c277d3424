"""Critics of several sizes against actors of several sizes, from random weights to a table.

Published (arXiv:2411.16579, section 5): one critic helps actors smaller and larger than itself.
Here the policy of each size is pretrained on the built-in world; one of them solves the training
problems, the exact checker annotates its solutions, and each policy becomes a critic by SFT on the
same set. Then every actor solves the dev problems, is criticised by every critic, by itself and by
the checker (the oracle), and tries again; attempts without a critique are the control.

    python -m benchmarks.critic_sizes --root .sizes            everything, about an hour
    python -m benchmarks.critic_sizes --root .sizes --reduced  a few minutes, to see that it runs

Everything is a unit of the store: started again, it goes on where it was. `--policies DIR` takes
policies that exist (`DIR/small`, ...) instead of pretraining them.
"""

import argparse
import json
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from flows.commands.run import run_flow
from schemas.base import FrozenConfig
from schemas.pretraining import SIZES, ArchitectureConfig
from schemas.rows import METRICS, Metric
from schemas.units import Stage
from storage import Store

_FIGURES = ("flags_wrong", "passes_right", "first_error_accuracy", "wrong_to_right")
_MAX_TOKENS = 160
_SFT_RUN = "critics"
_DATA_RUN = "data"


class TrainProblemsConfig(FrozenConfig):
    """The training problems and how many solutions are annotated."""

    num_problems: Annotated[int, Field(ge=1)] = 900
    """Problems."""
    num_samples: Annotated[int, Field(ge=1)] = 8
    """Solutions of each problem."""
    num_annotated: Annotated[int, Field(ge=1)] = 4
    """Annotated solutions of each problem."""
    seed: int = 5
    """Seed of the problems."""


class DevProblemsConfig(FrozenConfig):
    """The problems that critics and actors are measured on."""

    num_problems: Annotated[int, Field(ge=1)] = 200
    """Problems."""
    num_samples: Annotated[int, Field(ge=1)] = 4
    """Solutions of each problem, all criticised."""
    seed: int = 0
    """Seed of the problems."""


class SizesConfig(FrozenConfig):
    """Which sizes are compared, and on how much."""

    architectures: dict[str, ArchitectureConfig] = SIZES
    """The sizes by name."""
    annotated: str = "medium"
    """The size of the policy whose solutions the critics learn from."""
    num_tokens: Annotated[int, Field(ge=1)] = 8_000_000
    """Tokens of each policy's corpus."""
    train: TrainProblemsConfig = TrainProblemsConfig()
    """What critics learn from."""
    dev: DevProblemsConfig = DevProblemsConfig()
    """What is measured on."""
    epochs: Annotated[float, Field(gt=0)] = 3.0
    """Passes of a critic's training."""

    def reduced(self) -> "SizesConfig":
        """The same sizes on so little that it takes minutes."""
        return self.with_fields(
            num_tokens=min(self.num_tokens, 200_000),
            train=self.train.with_fields(num_problems=40, num_samples=4).model_dump(),
            dev=self.dev.with_fields(num_problems=20, num_samples=2).model_dump(),
            epochs=1.0,
        )


def measure_sizes(config: SizesConfig, root: str, policies: Path | None = None) -> list[Metric]:
    """The figures of every critic with every actor.

    Args:
        config: which sizes, and on how much.
        root: the store.
        policies: a folder with a policy per size; None to pretrain them.
    """
    folders = {
        name: str(policies / name) if policies else _pretrain(config, root, name)
        for name in config.architectures
    }
    training_set = _annotate(config, root, folders[config.annotated])
    critics = {name: _train_critic(config, root, folders[name], training_set) for name in folders}
    figures: list[Metric] = []
    for name, folder in folders.items():
        run_id = f"actor-{name}"
        _sample(root, run_id, folder, "eval", "dev", config.dev)
        for critic in (None, "checker", *critics.values()):
            _critique(root, run_id, folder, critic)
        figures += _read_figures(root, run_id)
    return figures


def table(config: SizesConfig, figures: list[Metric]) -> str:
    """A Markdown table: a row per actor and critic."""
    head = ("actor", "critic", *(name.replace("_", " ") for name in _FIGURES), "before", "after")
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    rows: dict[tuple[str, str], dict[str, float]] = {}
    for row in figures:
        who = "again without a critique" if row.strategy == "retry" else row.verifier or ""
        rows.setdefault((row.policy or "", who), {})[row.metric] = row.value
    for (actor, critic), values in rows.items():
        names = (*_FIGURES, "accuracy_before", "accuracy_after")
        cells = (f"{values[n]:.3f}" if n in values else "" for n in names)
        lines.append(
            f"| {actor} | {'itself' if critic == actor else critic} | {' | '.join(cells)} |"
        )
    return "\n".join(lines)


def _pretrain(config: SizesConfig, root: str, name: str) -> str:
    architecture = config.architectures[name].model_dump()
    changes = [f"num_tokens={config.num_tokens}", "num_eval_problems=0"]
    changes += [f"architecture.{field}={value}" for field, value in architecture.items()]
    return _run("pretraining", root, f"size-{name}", changes)


def _annotate(config: SizesConfig, root: str, policy: str) -> str:
    """The set of annotated solutions; its name."""
    train = config.train
    _sample(root, _DATA_RUN, policy, "train", "train", train)
    _run(
        "critiques",
        root,
        _DATA_RUN,
        [
            "set_name=train",
            "critic.type=checker",
            f"max_per_problem={train.num_annotated}",
            "refining.num_refinements=0",
            *_policy(policy),
        ],
    )
    return _run("dataset_export", root, _DATA_RUN, ["builder.type=critique"])


def _train_critic(config: SizesConfig, root: str, policy: str, training_set: str) -> str:
    return _run(
        "policy_training",
        root,
        _SFT_RUN,
        [
            "role=critic",
            f"model_name=critic-of-{Path(policy).name}",
            f"training_set={training_set}",
            "method.type=sft",
            f"method.epochs={config.epochs}",
            "method.num_workers=0",
            *_policy(policy),
        ],
    )


def _sample(
    root: str,
    run_id: str,
    policy: str,
    set_name: str,
    split: str,
    problems: TrainProblemsConfig | DevProblemsConfig,
) -> None:
    _run(
        "sampling",
        root,
        run_id,
        [
            f"set_name={set_name}",
            "problems.type=world",
            f"problems.split={split}",
            f"problems.num_problems={problems.num_problems}",
            f"problems.seed={problems.seed}",
            f"sampling.num_samples={problems.num_samples}",
            f"sampling.max_tokens={_MAX_TOKENS}",
            *_policy(policy),
        ],
    )


def _critique(root: str, run_id: str, actor: str, critic: str | None) -> None:
    """A critic's critiques of an actor's solutions; None for the actor itself, with the control."""
    changes = [
        f"critiquing.max_tokens={_MAX_TOKENS}",
        f"refining.max_tokens={_MAX_TOKENS}",
        *_policy(actor),
    ]
    if critic is None:
        changes.append("refining.num_retries=1")
    elif critic == "checker":
        changes.append("critic.type=checker")
    else:
        changes += ["critic.engine.type=vllm", f"critic.engine.model={critic}"]
    _run("critiques", root, run_id, changes)


def _policy(folder: str) -> list[str]:
    return ["policy.type=vllm", f"policy.model={folder}"]


def _run(flow: str, root: str, run_id: str, changes: list[str]) -> Any:
    return run_flow(flow, root=root, run_id=run_id, config_file=None, changes=changes)


def _read_figures(root: str, run_id: str) -> list[Metric]:
    """The newest figures of a run's critics over all problems."""
    store = Store(root)
    paths = store.files(METRICS.name, run_id=run_id, stage=Stage.EVALUATION, prefix="critics-eval")
    rows = [row for path in paths for row in store.read(path) if row.bin == "all"]
    newest: dict[tuple[Any, ...], Metric] = {}
    for row in sorted(rows, key=lambda each: each.created_at):
        newest[row.policy, row.verifier, row.strategy, row.metric] = row
    return list(newest.values())


def main() -> None:
    """Measure all sizes; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--config", default="benchmarks/critic_sizes.yaml", type=Path)
    parser.add_argument("--root", required=True, help="the store")
    parser.add_argument("--policies", type=Path, help="a folder with a policy per size")
    parser.add_argument("--reduced", action="store_true", help="a few minutes")
    arguments = parser.parse_args()
    config = SizesConfig.from_partial(yaml.safe_load(arguments.config.read_text()))
    if config.annotated not in config.architectures:
        parser.error(f"annotated: expected one of {', '.join(config.architectures)}")
    if arguments.reduced:
        config = config.reduced()
    figures = measure_sizes(config, arguments.root, arguments.policies)
    print(table(config, figures))
    found = [
        {
            "actor": row.policy,
            "critic": row.verifier,
            "strategy": row.strategy,
            "figure": row.metric,
            "value": row.value,
            "ci": [row.ci_low, row.ci_high],
        }
        for row in figures
    ]
    print(json.dumps({"benchmark": "critic_sizes", "figures": found}))


if __name__ == "__main__":
    main()
