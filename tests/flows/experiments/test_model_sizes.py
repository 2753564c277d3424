"""Sizes compared from runs that are there already: no model is started."""

from datetime import UTC, datetime

import numpy as np
import pytest

from schemas.experiments.model_sizes import ModelSizesConfig
from schemas.pretraining import ArchitectureConfig
from schemas.rows import Decision, Metric, Model, RunEvent
from storage import connect, query
from tasks.pretraining.train import new_model
from tasks.world.tokenizer import build_tokenizer

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NUM_PROBLEMS = 20
BUDGETS = (4, 16)
VERIFIER = {"small": 1_000, "large": 4_000}
"""Parameters of each size's verifier."""
SOLVED = {"small": {1: 4, 4: 8, 16: 16}, "large": {1: 10, 4: 15, 16: 18}}
"""Problems solved by one sample and by best of N."""


def decision(name, problem, budget, correct):
    return Decision(
        problem_id=problem,
        set_name="eval",
        policy=f"{name}-policy",
        verifier=f"{name}-verifier-1",
        strategy="best_of_n",
        budget=budget,
        pick="weighted[min]",
        is_main=True,
        status="decided",
        trajectory_id="t",
        answer="4",
        correct=correct,
        num_candidates=budget,
        num_finished=budget,
        num_rows=budget,
        prompt_tokens=10,
        cached_tokens=0,
        generated_tokens=10 * budget,
        scored_tokens=5 * budget,
        created_at=NOW,
    )


@pytest.fixture
def small_policy(tmp_path):
    folder = tmp_path / "small"
    tokenizer = build_tokenizer()
    architecture = ArchitectureConfig(hidden_size=16, num_layers=1, num_heads=1, mlp_size=16)
    new_model(architecture, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def searched(store, unit_of, make_problem, make_trajectory):
    """A run of each size, with its verifier, one sample per problem and two searches."""
    from safetensors.numpy import save_file

    problems = [make_problem(f"p{i:02}") for i in range(NUM_PROBLEMS)]
    for name, solved in SOLVED.items():
        run = {"run_id": f"run-{name}"}
        ended = RunEvent(
            flow="factory", state="completed", config="{}", config_hash="0", code_version="0",
            message=None, happened_at=NOW,
        )  # fmt: skip
        store.commit(unit_of("runs", "completed", stage="factory", **run), [ended])
        store.commit(unit_of("problems", "eval", stage="problems", **run), problems)
        samples = [
            make_trajectory(
                f"{name}-{i}", problem_id=p.problem_id, policy=f"{name}-policy",
                correct=i < solved[1], prompt_tokens=10, cached_tokens=0, generated_tokens=10,
            )
            for i, p in enumerate(problems)
        ]  # fmt: skip
        store.commit(unit_of("trajectories", "eval.00000", **run), samples)
        decisions = [
            decision(name, problem.problem_id, budget, i < solved[budget])
            for budget in BUDGETS
            for i, problem in enumerate(problems)
        ]
        store.commit(unit_of("decisions", "eval.best", stage="search", **run), decisions)
        folder = store.root / f"checkpoints/{name}-verifier-1"
        folder.mkdir(parents=True)
        save_file({"w": np.zeros(VERIFIER[name])}, folder / "model.safetensors")
        verifier = Model(
            model_id=folder.name, role="verifier", path=f"checkpoints/{folder.name}", base=None,
            training_set=None, metrics="{}", created_at=NOW,
        )  # fmt: skip
        store.commit(unit_of("models", "v", stage="prm_training", **run), [verifier])
        fits = {"coverage_a": -1.6, "coverage_b": -0.5, "coverage_error": 0.01, "coverage": 0.2}
        rows = [
            Metric(
                policy=f"{name}-policy", verifier=None, strategy="pass", budget=1, bin="all",
                metric=metric, value=value, ci_low=value, ci_high=value + 0.01,
                num_problems=NUM_PROBLEMS, created_at=NOW,
            )
            for metric, value in fits.items()
        ]  # fmt: skip
        store.commit(unit_of("metrics", "eval", stage="evaluation", **run), rows)
    return store


def test_sizes_are_compared_from_their_stored_searches(searched, small_policy):
    from flows.experiments.model_sizes import experiment_model_sizes, meeting_lines

    config = ModelSizesConfig.from_partial(
        {
            "sizes": {"small": {"model": str(small_policy)}, "large": {"model": "world-policy"}},
            "parts": {"small": "run-small", "large": "run-large"},
            "strategies": [{"type": "best_of_n"}],
            "budgets": list(BUDGETS),
            "evaluation": {"num_bootstrap": 200},
            "inference_shares": [1.0, 100.0],
        }
    )
    path = experiment_model_sizes.fn(config, searched.url, "sizes")
    catalog = connect(searched.url)
    flops = dict(
        query(
            catalog,
            "select concat(arm, '@', budget), value from metrics where run_id = 'sizes' "
            "and metric = 'flops'",
        ).fetchall()
    )
    small = 2 * 334 * 16 + 4 * 16**2 + 3 * 16 * 16 + 2 * 16 + 16
    assert flops["small@1"] == 2 * small * 20
    assert flops["small@4"] == 2 * (small * 50 + 1_000 * 20)
    assert flops["large@16"] == 2 * (742_016 * 170 + 4_000 * 80)
    rows = {(row.relation, row.point): row for row in searched.read(path)}
    covered = rows["coverage_follows_a_law", "small"]
    assert (covered.verdict, covered.smaller_value) == ("holds", 0.01)
    # The small size is so small that all of its searches cost less than one sample of the large.
    met = rows["search_beats_size", "small with best_of_n against large"]
    assert met.verdict is None
    assert met.smaller_value == 0.5
    times = 742_016 / small
    ((least,),) = query(
        catalog,
        "select min(value) from metrics where run_id = 'sizes' and metric = 'multiplier'",
    ).fetchall()
    assert least == pytest.approx(times + 0.03 * (times - 1))
    (figures,) = searched.files("metrics", run_id="sizes", stage="experiment_model_sizes")
    reports = searched.root / "reports/sizes"
    assert {"model-sizes.png", "model-sizes-coverage.png"} <= {p.name for p in reports.iterdir()}
    (line,) = meeting_lines(searched.read(figures))
    # 16 of 20 at N = 16, 8 at 4, 10 asked for: a quarter of the way in log operations.
    costs = [2 * (small * (10 + 10 * n) + 1_000 * 5 * n) for n in BUDGETS]
    expected = costs[0] * (costs[1] / costs[0]) ** 0.25 / flops["large@1"]
    assert line.startswith(
        f"small with best_of_n against large without search: meets it at {expected:.2g} ("
    )
    again = experiment_model_sizes.fn(config, searched.url, "sizes")
    assert again == path
