"""`stepmill critique`: a critic reads a run's solutions, and the policy tries again."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import (
    DEFAULT_ROOT,
    ConfigFile,
    DryRun,
    ExpectedTokens,
    Format,
    Rate,
    Root,
    set_option,
)
from flows.commands.run import flow_for, read_values, run_flow, wants_plan
from flows.tables.formats import check_format
from schemas.critiques import CritiquesJob
from schemas.rows import METRICS, from_table
from storage import Store

_RECORDED = ("policy", "prompt", "grader")
"""Fields that are those of the flow that sampled the solutions, unless given."""
_LIMITS = ("max_tokens", "stop", "stop_ids")
"""What ends a solution ends a second attempt, unless given."""


def critique(
    run_id: Annotated[str, typer.Option("--from-run", help="The run whose solutions are read.")],
    set_name: Annotated[
        str | None, typer.Option(help="The set of solutions; by default eval.")
    ] = None,
    critic: Annotated[
        str | None,
        typer.Option(
            help="A folder or Hugging Face id, checker or labels; by default the policy itself."
        ),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(help="The same, of the model that tries again; by default the run's own."),
    ] = None,
    told: Annotated[
        str | None, typer.Option(help="What the critic knows: nothing, answer, solution or known.")
    ] = None,
    which: Annotated[
        str | None, typer.Option(help="Which solutions, by their verdicts: all, wrong or right.")
    ] = None,
    refinements: Annotated[
        int | None, typer.Option(min=0, help="Second attempts with each critique.")
    ] = None,
    retries: Annotated[
        int | None,
        typer.Option(min=0, help="Second attempts at each solution without one, as a control."),
    ] = None,
    config: ConfigFile = None,
    change: Annotated[list[str] | None, set_option("format.type=stepwise")] = None,
    output: Format = "table",
    dry_run: DryRun = False,
    tokens_per_second: Rate = None,
    expected_tokens: ExpectedTokens = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Critique a run's solutions and try again: what the critic sees, and what it changes.

    Policy, prompt, grader and what ends a solution are as the solutions were sampled, unless given;
    a policy with a chat prompt is asked in the format `stepwise`. A run may hold several critics of
    a set; the same command resumes one. `stepmill describe critiques` prints every field.

    For example:

    - `stepmill critique --from-run first --retries 1`
    - `stepmill critique --from-run first --critic models/critic --refinements 10 --which wrong`
    - `stepmill critique --from-run first --told answer --set critiquing.temperature=1`
    """
    options = CritiqueOptions(
        run_id=run_id,
        set_name=set_name,
        critic=critic,
        policy=policy,
        told=told,
        which=which,
        refinements=refinements,
        retries=retries,
        config_file=config,
        changes=tuple(change or ()),
    )
    if wants_plan(dry_run, tokens_per_second, expected_tokens):
        plan_critiques(options, root, tokens_per_second, expected_tokens)
    else:
        critique_and_show(output, options, root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class CritiqueOptions:
    """What the command says about a job; None for the default of a field."""

    run_id: str
    set_name: str | None = None
    critic: str | None = None
    policy: str | None = None
    told: str | None = None
    which: str | None = None
    refinements: int | None = None
    retries: int | None = None
    config_file: Path | None = None
    changes: Sequence[str] = ()

    def values(self, store: Store) -> dict[str, Any]:
        """The fields of the job, filled in from the record of the run.

        Raises:
            ValueError: the run has no record of how the set was sampled, or several policies did.
        """
        from flows.registry import VARIANTS

        flow_for("critiques", self.config_file)  # refuses the config of another flow
        values = read_values(self.config_file, ())
        given: dict[str, Any] = {"set_name": self.set_name, "which": self.which}
        if self.policy is not None:
            given["policy"] = {"type": "vllm", "model": self.policy}
        values |= {name: value for name, value in given.items() if value is not None}
        who: dict[str, Any] = dict(values.get("critic") or {})
        is_folder = Path(str(self.critic)).is_dir()
        if self.critic in VARIANTS["critic"] and not is_folder:
            who = {"type": self.critic}
        elif self.critic is not None:
            like = get_close_matches(self.critic, VARIANTS["critic"])
            if like and not is_folder:
                raise ValueError(
                    f"--critic: expected a folder, a Hugging Face id or one of "
                    f"{', '.join(VARIANTS['critic'])}, got {self.critic!r}: did you mean {like[0]}?"
                )
            who |= {"engine": {"type": "vllm", "model": self.critic}}
        if self.told is not None:
            who["told"] = self.told
        if who:
            values["critic"] = who
        counts = {"num_refinements": self.refinements, "num_retries": self.retries}
        counts = {name: count for name, count in counts.items() if count is not None}
        if counts:
            values["refining"] = {**(values.get("refining") or {}), **counts}
        values = {"set_name": "eval", **read_values(None, self.changes, values)}
        return _fill_in(store, self.run_id, values)


def critique_and_show(output: str, options: CritiqueOptions, *, root: str | Path) -> None:
    """Critique a set of a run and print what its critics see and change.

    Args:
        output: `table`, or `json` for the figures of all critics of the set.
        options: what the command says.
        root: the store.

    Raises:
        ValueError: the format or the set does not exist, or a field does not fit.
    """
    check_format(output, "table", "json")
    values = options.values(Store(root, create=False))
    run_flow(
        "critiques",
        root=root,
        run_id=options.run_id,
        config_file=None,
        changes=(),
        values=values,
    )
    # Imported late: it imports DuckDB, which complains when a process ends with an error.
    from flows.commands.report import print_critics
    from flows.tables.critics import critic_rows
    from flows.tables.output import open_catalog, open_console
    from storage.queries import relation

    table = relation(open_catalog(str(root)), "curves_of_run", run_id=options.run_id)
    arrow = table.to_arrow_table()
    metrics = [r for r in from_table(METRICS, arrow) if r.set_name == values["set_name"]]
    if output == "json":
        figures = [
            {name: getattr(row, name) for name in METRICS.schema.names if name != "created_at"}
            for row in critic_rows(metrics)
        ]
        whole = {"run_id": options.run_id, "set_name": values["set_name"], "figures": figures}
        sys.stdout.write(json.dumps(whole) + "\n")
    else:
        print_critics(open_console(), metrics, None)


def plan_critiques(
    options: CritiqueOptions,
    root: str | Path,
    tokens_per_second: float | None,
    expected_tokens: int | None,
) -> None:
    """Print what critiques of the stored solutions would cost, and start nothing.

    Texts are expected to be as long as the stored solutions, unless their tokens are given.
    """
    from flows.runs.critics import critiqued_files, mean_tokens
    from flows.runs.forecast import Assumptions, Forecaster
    from flows.tables.forecast import forecast_table
    from flows.tables.output import open_console

    store = Store(root, create=False)
    job = CritiquesJob.from_partial(options.values(store))
    files = critiqued_files(store, options.run_id, job)
    made = Forecaster(
        Assumptions(solution_tokens=expected_tokens or mean_tokens(store, list(files)))
    )
    made.critique(job, list(files.values()))
    open_console().print(forecast_table(made.stages, made.assumed, tokens_per_second))


def _fill_in(store: Store, run_id: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, with what they leave out of policy, prompt and grader as recorded."""
    from flows.runs.sets import sampled_files
    from flows.runs.stored import solving_configs

    set_name, number = values["set_name"], values.get("round")
    recorded = solving_configs(store, run_id, [set_name])
    if not recorded:
        sampled_files(store, run_id, set_name)  # refuses a run without such solutions
    if number is not None:
        recorded = [config for config in recorded if config.get("round") == number]
    filled = dict(values)
    for name in _RECORDED:
        found = [config[name] for config in recorded if isinstance(config.get(name), dict)]
        own = filled.get(name)
        if isinstance(own, dict) and {"type", "model", "name"} & own.keys():
            continue  # another one is named
        if any(each != found[0] for each in found[1:]):
            raise ValueError(
                f"run {run_id}: the solutions of the set {set_name!r} were sampled with different "
                f"{name} fields: expected --set {name}.…, or --set round=N"
            )
        if found:
            filled[name] = {**found[0], **(own or {})}
        elif name == "policy":
            raise ValueError(
                f"run {run_id} has no record of the policy that sampled the set {set_name!r}: "
                "expected --policy"
            )
    samplings = [config["sampling"] for config in recorded if "sampling" in config]
    if samplings and all(each == samplings[0] for each in samplings):
        limits = {name: samplings[0][name] for name in _LIMITS if name in samplings[0]}
        filled["refining"] = {**limits, **(filled.get("refining") or {})}
    prompt = filled.get("prompt")
    if isinstance(prompt, dict) and prompt.get("type") == "chat":
        filled.setdefault("format", {"type": "stepwise"})
    return filled
