"""`stepmill search`: its options as a job, and the accuracy and cost of the strategies."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import (
    DEFAULT_ROOT,
    ConfigFile,
    DryRun,
    ExpectedTokens,
    Format,
    Policy,
    Rate,
    Root,
    RunId,
    set_option,
)
from flows.commands.run import plan_flow, read_values, run_flow, wants_plan
from flows.pages.pictures import search_picture
from flows.tables.critique_searches import critique_tables
from flows.tables.formats import check_format
from flows.tables.searches import choice_summary, search_summary, selection_summary
from schemas.errors import StoreUnusable
from schemas.rows import Metric
from schemas.search import SearchJob
from schemas.search.strategies import STRATEGY_CONFIGS, SWEEP, BeamConfig
from storage import Store

SWEEP_BUDGETS = (4, 16, 64)


def search(
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="{names of strategy}; may be repeated."),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option("--n", "--budgets", help="Candidates per problem: 16, or 4,16,64."),
    ] = None,
    width: Annotated[
        int | None, typer.Option(min=1, help="Continuations of a prefix that is kept.")
    ] = None,
    sweep: Annotated[
        bool, typer.Option("--sweep", help="The main strategies, at N = 4, 16 and 64.")
    ] = False,
    ratios: Annotated[
        bool,
        typer.Option(
            "--ratios",
            help="Revisions, or a named strategy with chains, from long chains to many, at one N.",
        ),
    ] = False,
    policy: Policy = None,
    verifier: Annotated[
        str | None, typer.Option(help="The same; by default the newest one trained in the store.")
    ] = None,
    run_id: RunId = None,
    config: ConfigFile = None,
    change: Annotated[list[str] | None, set_option("problems.num_problems=50")] = None,
    output: Format = "table",
    dry_run: DryRun = False,
    tokens_per_second: Rate = None,
    expected_tokens: ExpectedTokens = None,
    root: Root = DEFAULT_ROOT,
) -> None:
    """Search at test time: accuracy, tokens and problems/s of one strategy or of a sweep.

    The problems are the built-in world's unless --config or --set say otherwise; `stepmill describe
    STRATEGY` prints the options of a strategy.

    For example:

    - `stepmill search --strategy beam --n 16 --width 4`
    - `stepmill search --strategy dvts --n 4,16,64 --set problems.num_problems=50`
    - `stepmill search --sweep --run-id sweep`
    - `stepmill search --ratios --n 16`
    - `stepmill search --strategy critique --n 4,16`
    """
    options = SearchOptions(
        config_file=config,
        changes=tuple(change or ()),
        strategies=tuple(strategy or ()),
        budgets=n,
        width=width,
        is_sweep=sweep,
        with_ratios=ratios,
        policy=policy,
        verifier=verifier,
    )
    if not wants_plan(dry_run, tokens_per_second, expected_tokens):
        search_and_show(output, options, root=root, run_id=run_id)
        return
    given = options.values()
    if options.read(given).get("verifier") is None:
        # The newest one of the store, which is not looked at.
        given["verifier"] = {"type": "vllm", "model": "newest verifier of the store"}
    plan_flow(
        "search",
        config_file=config,
        changes=change or [],
        values=given,
        tokens_per_second=tokens_per_second,
        expected_tokens=expected_tokens,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchOptions:
    """What the command says about a job."""

    config_file: Path | None = None
    """The rest of the job."""
    changes: Sequence[str] = ()
    """Single fields of it."""
    strategies: Sequence[str] = ()
    """By name; empty for those in the file, or of the sweep."""
    budgets: str | None = None
    """N, or several with commas; None for those in the file, or of the sweep."""
    width: int | None = None
    """For the strategies named, or for every strategy of the file or sweep that has one."""
    is_sweep: bool = False
    """Run every strategy of the sweep."""
    with_ratios: bool = False
    """Run revisions, or the strategies named, at every ratio of sequential to parallel attempts."""
    policy: str | None = None
    """A model; None for the one in the file, or the shipped one."""
    verifier: str | None = None
    """A model; None for the one in the file, else the one that this run last searched with, else
    the newest in the store if one is needed or picks better than votes."""

    def values(self) -> dict[str, Any]:
        """The fields of a job that have options of their own; None for one that is not given.

        Raises:
            ValueError: options exclude one another, or a strategy does not exist.
        """
        if self.is_sweep and self.strategies:
            raise ValueError("expected --sweep or --strategy, got both")
        if self.width is not None and any(c.startswith("strategies=") for c in self.changes):
            raise ValueError(
                "expected --width or --set strategies, got both: put the width into it"
            )
        if self.with_ratios and self.is_sweep:
            raise ValueError("expected --ratios or --sweep, got both")
        named = _name_strategies(
            self.strategies,
            self.width,
            is_sweep=self.is_sweep,
            of_file=self.read().get("strategies"),
        )
        budgets = SWEEP_BUDGETS if self.is_sweep else None
        return {
            "strategies": _name_ratios(self.budgets, self.strategies)
            if self.with_ratios
            else named,
            "budgets": _read_budgets(self.budgets) if self.budgets else budgets,
            "policy": {"type": "vllm", "model": self.policy} if self.policy else None,
            "verifier": {"type": "vllm", "model": self.verifier} if self.verifier else None,
        }

    def read(self, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The fields of file and changes, and of `values`."""
        return read_values(self.config_file, self.changes, values)


def search_and_show(output: str, options: SearchOptions, *, root: str, run_id: str | None) -> None:
    """Search, and print the accuracy and cost of each strategy.

    Args:
        output: `table`, or `json` for every figure.
        options: the job.
        root: the store.
        run_id: the run; None for a new one.

    Raises:
        ValueError: the format or a strategy does not exist, a field does not fit, or a verifier
            is needed and none exists.
    """
    check_format(output, "table", "json")
    given = options.values()
    given["verifier"] = _find_verifier(root, run_id, options.read(given))
    path = run_flow(
        "search",
        root=root,
        run_id=run_id,
        config_file=options.config_file,
        changes=options.changes,
        values=given,
    )
    store = Store(root)
    show_searches(store.read(path), output, picture=_place_of_picture(store, path))


def show_searches(metrics: Sequence[Metric], output: str, *, picture: str | None) -> None:
    """Print the figures of searches; `picture` is where their picture lies."""
    if output == "json":
        sys.stdout.write(json.dumps([asdict(row) for row in metrics], default=str) + "\n")
        return
    # Imported late: it imports DuckDB, which complains when a process ends with an error.
    from flows.tables.output import open_console
    from flows.tables.sentences import result_words

    console = open_console()
    if picture is not None:
        console.print(f"picture: {picture}", soft_wrap=True, highlight=False, markup=False)
    console.print(search_summary(metrics))
    tables = [selection_summary(metrics), choice_summary(metrics), *critique_tables(metrics)]
    for table in tables:
        if table is not None:
            console.print(table)
    console.print(result_words(metrics), soft_wrap=True, highlight=False, markup=False)


def known_verifier(root: str, run_id: str | None) -> dict[str, Any] | None:
    """The config of the verifier that a run last searched with, else of the newest in the store.

    So a resumed search does not start over with a verifier trained since. None if the store has
    neither.
    """
    from storage import connect
    from storage.queries import ask

    try:
        connection = connect(root)
    except StoreUnusable:
        return None
    if found := ask(connection, "last_verifier_of_run", run_id=run_id):
        return json.loads(found[0]["verifier"])
    if found := ask(connection, "newest_verifier"):
        return {"type": "vllm", "model": f"{Store(root).url}/{found[0]['path']}"}
    return None


def _find_verifier(root: str, run_id: str | None, values: dict[str, Any]) -> dict[str, Any] | None:
    """The verifier of a job: the one it names, a known one if it needs one, or none.

    Raises:
        ValueError: the job needs one and the store has none (the message says what to do), or a
            field of the job does not fit.
    """
    if values.get("verifier") is not None:
        return values["verifier"]
    job = SearchJob.from_partial({**values, "verifier": {"type": "markov"}})
    if not (job.reads_verifier or job.picks_by_verifier):
        return None
    found = known_verifier(root, run_id)
    if found is None and job.reads_verifier:
        raise ValueError(
            f"expected a verifier, and the store {root} has none trained: `stepmill run factory "
            f"--root {root}` trains one; or name a model with --verifier; or search without one: "
            "--set score.by=likelihood"
        )
    return found


def _name_strategies(
    names: Sequence[str],
    width: int | None,
    *,
    is_sweep: bool,
    of_file: Any,
) -> list[Any] | None:
    """Unchecked configs of the strategies; None leaves them to the file."""
    if names:
        named = [{"type": name} for name in names]
        return named if width is None else [{**fields, "width": width} for fields in named]
    is_list = isinstance(of_file, list)
    if not is_sweep and (width is None or (of_file is not None and not is_list)):
        return None
    found = [strategy.model_dump() for strategy in SWEEP] if is_sweep else of_file
    if width is None:
        return found
    with_width = {name for name, c in STRATEGY_CONFIGS.items() if "width" in c.model_fields}
    return [
        {**fields, "width": width}
        if isinstance(fields, dict) and fields.get("type") in with_width
        else fields
        for fields in found or [{"type": BeamConfig().type}]
    ]


def _name_ratios(budgets: str | None, names: Sequence[str]) -> list[dict[str, Any]]:
    """Configs of chains for every ratio to compare at the budget."""
    with_chains = {name: c for name, c in STRATEGY_CONFIGS.items() if c.has_chains}
    for name in names:
        if name not in with_chains:
            raise ValueError(
                f"--ratios: expected a strategy with chains ({', '.join(with_chains)}), got {name}"
            )
    given = _read_budgets(budgets or "16")
    if len(given) != 1:
        raise ValueError(f"--ratios: expected one --n, as the ratios depend on it, got {budgets}")
    return [
        setting.model_dump()
        for name, config in with_chains.items()
        if (name in names if names else config.in_ratios)
        for setting in config.grid(given[0])
    ]


def _read_budgets(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--n: expected a number, or several like 4,16,64, got {text!r}") from None


def _place_of_picture(store: Store, path: str) -> str | None:
    name = search_picture(path, store.read(path))
    return None if name is None else f"{store.url}/{name}"
