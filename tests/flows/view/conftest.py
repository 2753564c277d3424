"""A small store with a row of every kind that the viewer shows, and requests to a viewer of it."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from flows.view.app import make_app
from flows.view.guard import Access
from flows.view.site import Site
from schemas.rows import (
    Critique,
    CritiqueStep,
    Decision,
    Failure,
    Metric,
    RunEvent,
    Step,
    StepLabel,
    StepScores,
    TokenRewards,
)
from storage import Store
from storage.viewing import LiveCatalog
from tests.flows.view.learned import fill_learned

AT = datetime(2026, 1, 1, tzinfo=UTC)
HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)> **bold** [link](javascript:alert(3)) "
    "\x1b[31mred \u202egnp.exe {{ 7 * 7 }} '\" & 4"
)
"""HTML, a script, Markdown, ANSI, a right-to-left mark, a template, quotes."""


@dataclass
class Viewer:
    """A viewer of a store, asked in this process."""

    client: TestClient
    store: Any
    catalog: LiveCatalog

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def text(self, path: str, **query: str) -> str:
        answer = self.client.get(path, params=query or None)
        assert answer.status_code == 200, answer.text
        return answer.text


@pytest.fixture
def make_viewer() -> Callable[..., Viewer]:
    def make(store: Any, access: Access | None = None, look_every_s: float = 0.0) -> Viewer:
        access = access or Access("127.0.0.1", 8400)
        catalog = LiveCatalog(store.url, look_every_s=look_every_s, patience_s=60.0)
        app = make_app(catalog, Site(store.url), access)
        base = f"http://127.0.0.1:{access.port}"
        return Viewer(TestClient(app, base_url=base, follow_redirects=False), store, catalog)

    return make


_shared: dict[str, Any] = {}


@pytest.fixture
def filled(tmp_path_factory, unit_of, make_problem, make_trajectory) -> Store:
    """The store that tests share, which they only read."""
    if "store" not in _shared:
        store = Store(tmp_path_factory.mktemp("view") / "store")
        fill(store, unit_of, make_problem, make_trajectory)
        _shared["store"] = store
    return _shared["store"]


@pytest.fixture
def viewer(filled, make_viewer) -> Viewer:
    """A viewer of the shared store."""
    if "viewer" not in _shared:
        _shared["viewer"] = make_viewer(filled, look_every_s=1e9)
    return _shared["viewer"]


@pytest.fixture
def own_viewer(filled, make_viewer, tmp_path) -> Viewer:
    """A viewer of a copy, which may be written."""
    shutil.copytree(filled.root, tmp_path / "store")
    return make_viewer(Store(tmp_path / "store"))


def fill(store, unit_of, make_problem, make_trajectory):
    """Two problems; of the first, solutions that say 4, 4, 5 and something hostile."""
    store.commit(
        unit_of("problems", name="eval", stage="problems"),
        [make_problem("p0", question="2 + 2 is what?"), make_problem("p1", level=3)],
    )
    solutions = [
        make_trajectory("t0", generated_tokens=9),
        make_trajectory("t1", sample_index=1, generated_tokens=40),
        make_trajectory("t2", sample_index=2, answer="5", correct=False, generated_tokens=70),
        make_trajectory(
            "hostile",
            sample_index=3,
            answer=HOSTILE,
            correct=False,
            steps=(Step(text=HOSTILE, num_tokens=3, logprob=-1.0),),
            policy="<b>policy</b>",
        ),
        make_trajectory("t4", problem_id="p1", correct=None, answer=None, status="truncated"),
        make_trajectory("t5", problem_id="p1", status="error", error="the engine <refused>"),
    ]
    store.commit(unit_of("trajectories", name="eval.00000"), solutions)
    rollouts = [
        make_trajectory(
            f"r{n}",
            role="rollout",
            strategy="rollout",
            parent_id="t2",
            branch_step=1,
            sample_index=n,
            steps=(Step(text=f"rollout {n}", num_tokens=2),),
            correct=n < 3,
        )
        for n in range(4)
    ]
    store.commit(unit_of("trajectories", name="eval.00000-000", stage="step_labels"), rollouts)
    store.commit(
        unit_of("step_labels", name="eval.00000-000", stage="step_labels"),
        [
            StepLabel(
                trajectory_id="t2", step_index=0, method="monte_carlo[n=4]", completer="policy-0",
                evidence="rollouts", num_rollouts=4, num_correct=3, soft=0.75, hard=True,
                ci_low=0.3, ci_high=0.95,
            ),
            StepLabel(
                trajectory_id="t2", step_index=1, method="monte_carlo[n=4]", completer="policy-0",
                evidence="answer", hard=False,
            ),
            StepLabel(
                trajectory_id="t2", step_index=1, method="checker", completer="checker",
                evidence="checker", hard=False,
            ),
        ],
    )  # fmt: skip
    store.commit(
        unit_of("step_scores", name="eval.00000-0123456789abcdef", stage="scoring"),
        [
            StepScores(
                trajectory_id=name, verifier="prm", scores=scores, scored_tokens=5, cached_tokens=0
            )
            for name, scores in (("t0", (0.5, 0.25)), ("t1", (0.75, 0.5)), ("t2", (0.9, 0.875)))
        ],
    )
    store.commit(
        unit_of("critiques", name="eval.00000-c", stage="critiques"),
        [
            Critique(
                critique_id="c0", trajectory_id="t2", problem_id="p0", critic="critic-1",
                told="nothing", sample_index=0, status="finished", text="It errs at the end.",
                steps=(
                    CritiqueStep(verdict="right", text="the sum holds"),
                    CritiqueStep(verdict="wrong", text="this is not the sum"),
                ),
                first_error=1, verdict=False, leaks=False, temperature=0.0, seed=1, engine="test",
                created_at=AT,
            )
        ],
    )  # fmt: skip
    second = make_trajectory(
        "again", role="refinement", strategy="refinement", parent_id="t2", branch_step=0,
        critique_id="c0",
        steps=(
            Step(text="2 + 2 = 4\n", num_tokens=6), Step(text="Answer: 4 indeed", num_tokens=3),
        ),
    )  # fmt: skip
    store.commit(unit_of("trajectories", name="eval.00000-c-r", stage="refinements"), [second])
    store.commit(
        unit_of("token_rewards", name="eval.00000-t", stage="token_rewards"),
        [
            TokenRewards(
                trajectory_id="t2", reward="uniform", total=0.5, tokens=("2 + 2", " = 5"),
                rewards=(0.75, -0.25), created_at=AT,
            )
        ],
    )  # fmt: skip
    store.commit(
        unit_of("decisions", name="eval.majority", stage="search"),
        [
            Decision(
                problem_id="p0", set_name="eval", policy="policy-0", verifier=None,
                strategy="majority", budget=4, pick="majority", is_main=True, status="decided",
                trajectory_id="t0", answer="4", correct=True, num_candidates=4, num_finished=4,
                num_rows=4, prompt_tokens=1, cached_tokens=0, generated_tokens=9, scored_tokens=0,
                created_at=AT,
            )
        ],
    )  # fmt: skip
    store.commit(
        unit_of("failures", name="eval.00001-f", stage="sampling"),
        [
            Failure(
                unit="trajectories/run_id=run/stage=sampling/eval.00001.parquet",
                error_type="ValueError", message="row 7 <is> odd", traceback="", code_version="0",
                happened_at=AT,
            )
        ],
    )  # fmt: skip
    for run_id, temperature in (("run", 1.0), ("other", 0.5)):
        record(store, unit_of, run_id, "started", AT, f'{{"temperature": {temperature}}}')
    record(store, unit_of, "other", "completed", AT + timedelta(minutes=2))
    asked = make_problem("o0", question="2 + 2 is what?")
    store.commit(unit_of("problems", name="eval", stage="problems", run_id="other"), [asked])
    solved = make_trajectory("o", problem_id="o0")
    store.commit(unit_of("trajectories", name="eval.00000", run_id="other"), [solved])
    reached = Metric(
        policy="policy-0", verifier=None, strategy="majority", budget=4, bin="all",
        metric="accuracy", value=0.5, ci_low=0.4, ci_high=0.6, num_problems=2, set_name="eval",
    )  # fmt: skip
    store.commit(unit_of("metrics", name="eval-0", stage="evaluation"), [reached])
    fill_learned(store, unit_of, make_problem, make_trajectory)


def record(store, unit_of, run_id, state, at, config="{}", flow="sampling"):
    event = RunEvent(
        flow=flow, part="eval", state=state, config=config, config_hash="h", code_version="0",
        message=None, happened_at=at,
    )  # fmt: skip
    store.commit(unit_of("runs", name=f"{state}-eval", stage=flow, run_id=run_id), [event])


@pytest.fixture
def searched(store, unit_of, make_problem, make_trajectory):
    """A store with a search."""
    fill_searched(store, unit_of, make_problem, make_trajectory)
    return store


def fill_searched(
    store, unit_of, make_problem, make_trajectory, run_id="run", strategies=("beam",)
):
    """Searches of a problem: A B twice, right and picked; A C pruned; D wrong."""
    problems = unit_of("problems", name="eval", stage="problems", run_id=run_id)
    store.commit(problems, [make_problem("p0")])
    for strategy in strategies:

        def row(name, index, texts, strategy=strategy, **fields):
            steps = tuple(
                Step(text=f"{text}\n", num_tokens=1, logprob=-1.0, score=score)
                for text, score in texts
            )
            prefix = "" if strategy == "beam" else f"{strategy}-"
            if "parent_id" in fields:
                fields["parent_id"] = f"{prefix}{fields['parent_id']}"
            return make_trajectory(
                f"{prefix}{name}", sample_index=index, steps=steps, strategy=strategy, budget=4,
                verifier="prm", **fields,
            )  # fmt: skip

        cell = f"eval.{strategy}-n4-421984db8386.00000"
        rows = [
            row("r0", 0, [("A", 0.5), ("B", 0.75)]),
            row("r1", 1, [("C <i>", 0.1)], parent_id="r0", branch_step=1, status="pruned",
                reason="ranked 3 of 2", correct=None, answer=None),
            row("r2", 2, [("A", 0.75), ("B", 1.0)]),
            row("r3", 3, [("D", None)], correct=False, answer="5"),
        ]  # fmt: skip
        store.commit(unit_of("trajectories", name=cell, stage="search", run_id=run_id), rows)
        decision = Decision(
            problem_id="p0", set_name="eval", policy="policy-0", verifier="prm",
            strategy=strategy, budget=4, pick="best", is_main=True, status="decided",
            trajectory_id=rows[2].trajectory_id, answer="4", correct=True, num_candidates=3,
            num_finished=3, num_rows=4, prompt_tokens=1, cached_tokens=0, generated_tokens=9,
            scored_tokens=7, created_at=AT,
        )  # fmt: skip
        store.commit(unit_of("decisions", name=cell, stage="search", run_id=run_id), [decision])
