"""Figures of a store of version 3 are the same to the last digit when they are recomputed, but for
intervals over problems that all came out alike.

The store was made by version 3 on the built-in world: a factory run `first` of 10 problems, and
searches `searched` with the verifier of that run.
"""

import json
import tarfile
from dataclasses import replace
from pathlib import Path, PurePath

import pytest

from schemas.evaluation import EvaluationJob
from schemas.rows import Metric
from schemas.search import SearchJob
from schemas.units import Unit
from storage import Store, connect

SHARES = ("answerless_rate", "one_step_rate", "median_steps", "p95_steps")
FIRST_ERROR_FIGURES = (
    "first_error_f1",
    "first_error_f1_mean",
    "first_error_accuracy",
    "flawless_accuracy",
    "first_error_threshold",
    "erroneous_solutions",
    "flawless_solutions",
)
ARCHIVE = Path(__file__).parents[1] / "fixtures" / "store-v3.tar.gz"


@pytest.fixture(scope="module")
def old_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("version-3")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return Store(folder / "store")


def configs_of(store: Store, run_id: str, stage: str) -> dict[str | None, dict]:
    """The config of each part of a stage."""
    paths = store.files("runs", run_id=run_id, stage=stage)
    events = [event for path in paths for event in store.read(path)]
    return {event.part: json.loads(event.config) for event in events if event.state == "started"}


def stored_figures(store: Store, run_id: str, stage: str, prefix: str = "") -> list[Metric]:
    paths = store.files("metrics", run_id=run_id, stage=stage, prefix=prefix)
    return [row for path in paths for row in store.read(path)]


def unsigned(rows: list[Metric]) -> list[Metric]:
    return [replace(row, set_name=None, created_at=None) for row in rows]


def covers(row: Metric) -> bool:
    """Whether a row has an interval with its value in it."""
    if row.ci_low is None or row.ci_high is None:
        return False
    return row.ci_low <= row.value <= row.ci_high


def told_apart(rows: list[Metric], stored: list[Metric]) -> list[Metric]:
    """The rows, with the stored interval where that one had no width, and lies in the new one.

    Version 3 resampled problems that all came out alike; an interval of this version is one of
    Wilson's kind there.
    """
    return [
        replace(row, ci_low=old.ci_low, ci_high=old.ci_high)
        if old.ci_low == old.ci_high == row.value and covers(row)
        else row
        for row, old in zip(rows, stored, strict=True)
    ]


def evaluation_unit(store: Store, part: str) -> tuple[Unit, EvaluationJob]:
    from flows.runs.sets import label_files, problems_path, sampled_files, score_files
    from flows.runs.stored import name_models

    config = configs_of(store, "first", "evaluation")[part]
    if verifier := config["verifier"]:  # the store was made elsewhere
        verifier["model"] = str(store.root / "checkpoints" / PurePath(verifier["model"]).name)
    job = EvaluationJob.from_partial(config)
    files = sampled_files(store, "first", job.set_name)
    job, sampled = name_models(store, "first", job, files)
    inputs = [problems_path("first", job.set_name), *sampled]
    if job.verifier_name is not None:
        inputs += score_files(store, "first", sampled, job.verifier_name)
    inputs += label_files(store, "first", job.set_name)
    unit = Unit(run_id="first", stage="evaluation", name="x", table="metrics", inputs=tuple(inputs))
    return unit, job


def part_of(store: Store, start: str) -> str:
    (part,) = (p for p in configs_of(store, "first", "evaluation") if p and p.startswith(start))
    return part


def test_figures_of_solutions_are_the_same_and_shares_and_first_errors_join_them(old_store):
    from flows.runs.truth import known_kinds
    from tasks.evaluation.task import measure_set

    unit, job = evaluation_unit(old_store, part_of(old_store, "eval"))
    rows = measure_set(unit, job, old_store, known_kinds(old_store, unit.inputs[0]))
    stored = stored_figures(old_store, "first", "evaluation", "eval")
    assert len(stored) > 1000
    shares = {row.metric: row.value for row in rows if row.metric in SHARES}
    errors = [row for row in rows if row.metric in FIRST_ERROR_FIGURES]
    others = [row for row in rows if row.metric not in (*SHARES, *FIRST_ERROR_FIGURES)]
    assert unsigned(told_apart(others, stored)) == unsigned(stored)
    assert {row.bin for row in errors} >= {"all", "fold=0", "fold=1"}
    (found,) = (
        connect(old_store.url)
        .sql(
            "select answerless_share, one_step_share, median_steps, p95_steps from row_shares "
            "where run_id = 'first' and stage = 'sampling' and split = 'dev'"
        )
        .fetchall()
    )
    # Every problem has equally many solutions, so means over problems are shares of all.
    assert found == tuple(pytest.approx(shares[name]) for name in SHARES)


def test_figures_of_labels_are_the_same_and_audits_join_them(old_store):
    from flows.runs.truth import known_kinds
    from tasks.evaluation.solutions.truth import check_solutions, measure_labels

    unit, job = evaluation_unit(old_store, part_of(old_store, "labels"))
    tables = {"trajectories": [], "step_labels": [], "problems": []}
    for path in unit.inputs:
        tables[path.partition("/")[0]] += old_store.read(path)
    kinds = known_kinds(old_store, unit.inputs[0])
    assert kinds is not None
    rows = measure_labels(
        tables["trajectories"],
        tables["step_labels"],
        check_solutions(tables["problems"], tables["trajectories"], kinds),
        job.evaluation,
        policy=job.policy_name or "",
    )
    audits = [row for row in rows if row.metric.startswith("audit")]
    others = [row for row in rows if not row.metric.startswith("audit")]
    assert unsigned(others) == unsigned(stored_figures(old_store, "first", "evaluation", "labels"))
    assert {row.metric for row in audits} >= {"audited_steps", "audit_disagreement"}


def test_figures_of_searches_are_the_same(old_store):
    from flows.runs.search_units import cell_of, reference_cell, search_plan
    from flows.runs.sets import problems_path
    from tasks.evaluation.searches.figures import search_figures
    from tasks.evaluation.searches.grid import build_grid, reference_candidates

    (config,) = configs_of(old_store, "searched", "search").values()
    job = SearchJob.from_partial(config)
    plan = search_plan(job, "searched")
    reference = reference_cell(plan)
    assert reference is not None
    stored = stored_figures(old_store, "searched", "search")
    problems = old_store.read(problems_path("searched", job.set_name))

    def rows_of(table: str, cells: list[str]) -> list:
        paths = old_store.files(table, run_id="searched", stage="search")
        found = [path for cell in cells for path in paths if cell_of(path) == cell]
        return [row for path in found for row in old_store.read(path)]

    rows = search_figures(
        build_grid(problems, rows_of("decisions", list(plan))),
        job.evaluation,
        reference=reference_candidates(problems, rows_of("trajectories", [reference])),
        baseline=job.label(plan[reference].strategy),
        seconds={
            (row.strategy, row.budget or 0): row.value * len(problems)
            for row in stored
            if row.metric == "engine_s"
        },
    )
    assert len(stored) > 1000
    assert unsigned(told_apart(rows, stored)) == unsigned(stored)


def test_every_view_and_report_shows_old_rows_by_their_present_names(old_store, capsys):
    from flows.commands.report import show_report

    connection = connect(old_store.url)
    glued = """
        select count(*) from curves
        where contains(metric, '[') or contains(strategy, '/') or starts_with(strategy, 'step_sc%[')
        or starts_with(strategy, 'compute_optimal[') or (starts_with(bin, 'round=') and arm is null)
    """
    assert connection.sql(glued).fetchall() == [(0,)]
    num_metrics = connection.sql("select count(*) from metrics").fetchall()
    assert connection.sql("select count(*) from curves").fetchall() == num_metrics
    for run_id, name in (("first", "best_of_n[min]"), ("searched", "lookahead"), ("improved", "2")):
        show_report(connection, run_id, "table")
        assert name in capsys.readouterr().out


def test_a_search_goes_on_with_the_reduction_that_it_began_with(old_store):
    from flows.runs.verifier_labels import follow_labels, labels_of
    from schemas.reductions import VerifierLabels

    (config,) = configs_of(old_store, "searched", "search").values()
    began = SearchJob.from_partial(config)
    unnamed = SearchJob.from_partial({**config, "score": {**config["score"], "reduction": None}})
    assert follow_labels(old_store, "searched", unnamed).config_hash() == began.config_hash()
    labels = labels_of(old_store, PurePath(config["verifier"]["model"]).name)
    assert labels == VerifierLabels("monte_carlo[n=8,first_hit,bisection]", "hard")
    named = began.with_fields(score=began.score.with_fields(reduction="last"))
    assert follow_labels(old_store, "searched", named) == named
