"""The console script `stepmill`."""

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.exits import run_plainly

app = typer.Typer(
    help="A factory for reasoning data: sample, grade, label steps, train verifiers, measure.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
Root = Annotated[
    str,
    typer.Option("--root", envvar="STEPMILL_ROOT", help="The store: a folder or s3://bucket/path."),
]
_DEFAULT_ROOT = "stepmill-store"


@app.command()
def run(
    flow: Annotated[
        str,
        typer.Argument(
            help="factory (the whole line), or a part of it: problems, sampling, imports, "
            "regrading, step_labels, prm_training, scoring, search, evaluation, "
            "dataset_export, policy_training; a loop, see `improve`; or pretraining."
        ),
    ] = "factory",
    run_id: Annotated[str | None, typer.Option(help="Go on with this run, or begin it.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with the config.", exists=True, dir_okay=False),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="One field, as in eval_sampling.num_samples=8")
    ] = None,
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Run a flow; with the id of a run that was stopped, do only what is missing.

    A config says what a flow does: which problems, which models, how many samples. Every field of
    `factory` has a default; what --config and --set leave out keeps it. A wrong field is named,
    with those that there are, before anything starts. docs/configs.md has an example for each
    flow; schemas/FLOW.py has the fields with their meaning.

    For example:

    - `stepmill run --run-id first`
    - `stepmill run --set eval_problems.num_problems=50 --set prm_training.max_steps=300`
    - `stepmill run sampling --config sampling.yaml --root s3://bucket/store`
    """
    from flows.commands.run import run_flow

    run_flow(flow, root=root, run_id=run_id, config_file=config, changes=change or [])


@app.command()
def serve(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Of the Prefect server; else one of 4200 to 4209."),
    ] = None,
    deployments: Annotated[
        Path | None, typer.Option(help="A file like prefect.yaml; else that one.")
    ] = None,
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Deploy every flow and run what is scheduled or asked for, until Ctrl-C."""
    from flows.commands.serve import serve

    serve(root, port=port, deployments=deployments)


@app.command()
def search(
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            help="majority, best_of_n, filter_vote, beam, lookahead, dvts, rebase, mcts, "
            "tree_of_thoughts or revisions; may be given several times."
        ),
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
        typer.Option("--ratios", help="Of revisions: long chains to many chains, at one N."),
    ] = False,
    policy: Annotated[
        str | None, typer.Option(help="A folder or Hugging Face id; else the shipped policy.")
    ] = None,
    verifier: Annotated[
        str | None, typer.Option(help="The same; else the newest one trained in the store.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Go on with this run, or begin it.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with the job.", exists=True, dir_okay=False),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="One field, as in problems.num_problems=50")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Search at test time: accuracy, tokens and problems/s of one strategy or of a sweep.

    The problems are the built-in world's unless --config or --set say otherwise; docs/search.md has
    the strategies with their options.

    For example:

    - `stepmill search --strategy beam --n 16 --width 4`
    - `stepmill search --strategy dvts --n 4,16,64 --set problems.num_problems=50`
    - `stepmill search --sweep --run-id sweep`
    - `stepmill search --ratios --n 16`
    """
    from flows.commands.search import search_and_show

    search_and_show(
        output,
        root=root,
        run_id=run_id,
        config_file=config,
        changes=change or [],
        strategies=strategy or [],
        budgets=n,
        width=width,
        is_sweep=sweep,
        with_ratios=ratios,
        policy=policy,
        verifier=verifier,
    )


@app.command()
def build(
    kind: Annotated[
        str,
        typer.Argument(
            help="rest, rest_em, reverse_curriculum, preference, v_star, stepwise, revisions, "
            "stitched, search_trees or easy_to_hard."
        ),
    ],
    run_id: Annotated[str, typer.Option("--from-run", help="The run whose solutions are used.")],
    config: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with the config.", exists=True, dir_okay=False),
    ] = None,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="One field, as in builder.per_problem=2")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Build a training set from a run's solutions: checked, filtered, arranged for TRL."""
    from flows.commands.build import build_and_show

    build_and_show(
        kind, root=root, run_id=run_id, config_file=config, changes=change or [], output=output
    )


@app.command()
def export(
    name: Annotated[str, typer.Argument(help="A training set, as `build` called it.")],
    target: Annotated[
        Path | None, typer.Option("--to", help="The folder that gets it; else one of its name.")
    ] = None,
    push: Annotated[
        str | None, typer.Option(help="A dataset on the Hugging Face hub, as in me/my-set.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Copy a training set to a folder that `datasets` reads, or push it to the hub."""
    from flows.commands.build import export_set

    export_set(name, root=root, target=target, push=push, output=output)


@app.command()
def improve(
    loop: Annotated[
        str,
        typer.Argument(help="rest, rest_em, dpo_rounds, v_star or reverse_curriculum."),
    ],
    rounds: Annotated[int | None, typer.Option(min=1, help="Most rounds.")] = None,
    policy: Annotated[
        str | None, typer.Option(help="A folder or Hugging Face id; else the shipped policy.")
    ] = None,
    run_id: Annotated[str | None, typer.Option(help="Go on with this run, or begin it.")] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="YAML or JSON with the config.", exists=True, dir_okay=False),
    ] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", help="One field, as in train_sampling.num_samples=4"),
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Improve a policy by its own solutions, round after round, and measure it against controls.

    Each round samples, builds a training set, trains and measures; a loop that was stopped goes on
    with the same --run-id. docs/loops.md has the loops with their options.

    For example:

    - `stepmill improve rest --rounds 3`
    - `stepmill improve rest_em --rounds 3 --set min_gain=0.01`
    - `stepmill improve reverse_curriculum --set training.max_generated_tokens=300000`
    """
    from flows.commands.improve import improve_and_show

    improve_and_show(
        loop,
        output,
        root=root,
        run_id=run_id,
        config_file=config,
        changes=change or [],
        rounds=rounds,
        policy=policy,
    )


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One statement that reads.")],
    output: Annotated[str, typer.Option("--format", help="table, csv, json or parquet.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Ask the store a question in SQL (DuckDB); it cannot be changed, nothing else can be read."""
    from flows.tables.output import open_catalog, write_relation
    from storage import query

    write_relation(query(open_catalog(root), statement), output)


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="ID", help="A trajectory id, or how it begins.")],
    tree: Annotated[
        bool, typer.Option("--tree", help="ID is a problem's: draw its search tree.")
    ] = False,
    strategy: Annotated[
        str | None, typer.Option(help="With --tree: of which search, as its rows name it.")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", help="With --tree: at which N.")] = None,
    run_id: Annotated[str | None, typer.Option(help="With --tree: of which run.")] = None,
    output: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print one trajectory with its labels and scores, or a problem's whole search tree."""
    from flows.tables.output import open_catalog, show_trajectory

    if tree:
        from flows.tables.search_tree import show_tree

        show_tree(open_catalog(root), name, output, strategy=strategy, budget=n, run_id=run_id)
    else:
        show_trajectory(open_catalog(root), name, output)


@app.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(help="JSONL or Parquet: a problem a row.", exists=True, dir_okay=False),
    ],
    run_id: Annotated[
        str | None, typer.Option(help="The run that gets them; else a new one.")
    ] = None,
    set_name: Annotated[str, typer.Option(help="What the set is called in the run.")] = "eval",
    question_column: Annotated[str, typer.Option(help="Texts.")] = "question",
    answer_column: Annotated[str, typer.Option(help="Gold answers.")] = "answer",
    responses_column: Annotated[str, typer.Option(help="Lists of solutions.")] = "responses",
    scores_column: Annotated[
        str | None, typer.Option(help="A score a solution, or a list a step; else `scores`.")
    ] = None,
    policy: Annotated[str | None, typer.Option(help="What wrote them; else the file.")] = None,
    verifier: Annotated[str | None, typer.Option(help="What scored them; else the column.")] = None,
    grader: Annotated[str, typer.Option(help="math or exact.")] = "math",
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Another field, as in gold_format=solution")
    ] = None,
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Bring other people's solutions and scores into a run, graded."""
    from flows.commands.run import run_flow

    values = {
        "path": file.absolute(),
        "set_name": set_name,
        "question_column": question_column,
        "answer_column": answer_column,
        "responses_column": responses_column,
        "scores_column": scores_column,
        "policy": policy,
        "verifier": verifier,
        "grader": {"type": grader},
    }
    run_flow(
        "imports", root=root, run_id=run_id, config_file=None, changes=change or [], values=values
    )


@app.command()
def regrade(
    run_id: Annotated[str, typer.Option(help="The run.")],
    set_name: Annotated[str, typer.Option(help="The set of solutions.")] = "eval",
    grader: Annotated[str, typer.Option(help="math or exact.")] = "math",
    rollouts: Annotated[bool, typer.Option(help="Also the rollouts from its solutions.")] = False,
    change: Annotated[
        list[str] | None, typer.Option("--set", help="Another field, as in grader.percent=ignored")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Grade stored solutions again and print what changed; every view uses the newest verdict."""
    from flows.commands.regrade import regrade_and_show

    values = {"set_name": set_name, "grader": {"type": grader}, "with_rollouts": rollouts}
    regrade_and_show(output, root=root, run_id=run_id, values=values, changes=change or [])


@app.command()
def report(
    run_id: Annotated[str, typer.Argument(help="The run.")],
    by: Annotated[
        str | None,
        typer.Option(help="Accuracy by level, subject, oracle_quintile or model_quintile."),
    ] = None,
    budget: Annotated[
        int | None, typer.Option(help="With --by: candidates per problem; else the most there are.")
    ] = None,
    set_name: Annotated[
        str | None, typer.Option(help="Which set of problems; else eval, or the only one.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print a run's results: accuracy by strategy and budget, and figures against the truth."""
    from flows.commands.report import show_report
    from flows.tables.output import open_catalog

    show_report(open_catalog(root), run_id, output, by=by, budget=budget, set_name=set_name)


@app.command()
def cost(
    run_id: Annotated[str | None, typer.Argument(help="The run; else all of the store.")] = None,
    by: Annotated[
        str | None, typer.Option(help="Sums by run, stage, strategy or model; else by all four.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Print what was spent: tokens, seconds of engine time, tokens per row that was worth it."""
    from flows.commands.cost import show_cost
    from flows.tables.output import open_catalog

    show_cost(open_catalog(root), run_id, output, by=by)


@app.command()
def compact(
    run_id: Annotated[str | None, typer.Option(help="Fold this run's files only.")] = None,
    target: Annotated[
        str | None, typer.Option("--to", help="Write a folded copy here; needed on s3://.")
    ] = None,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Fold a store's many small files into few; runs and readers at work are not disturbed."""
    from flows.commands.compact import compact_store

    compact_store(root, run_id=run_id, target=target, output=output)


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option("--deep", help="Read all rows of all files.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Move unusable files away, to be made again.")
    ] = False,
    output: Annotated[str, typer.Option("--format", help="table or json.")] = "table",
    root: Root = _DEFAULT_ROOT,
) -> None:
    """Look at this machine and the store: what is wrong, and what to do about it."""
    from flows.commands.doctor import examine

    raise typer.Exit(examine(root, output=output, deep=deep, repair=repair))


def main() -> None:
    """Run the command line; a caller's mistake is one line on standard error, and exit code 2."""
    run_plainly(app, default_root=_DEFAULT_ROOT)


if __name__ == "__main__":
    main()
