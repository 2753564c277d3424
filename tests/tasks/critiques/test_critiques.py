"""Critiques and second attempts: a scripted critic on a server, an actor of known chances."""

import asyncio
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from schemas.critiques import CritiquesJob
from schemas.rows import CRITIQUES, PROBLEMS, TRAJECTORIES, VERDICTS, Step, Verdict
from tasks.critiques.critique import choose_solutions, critique_solutions
from tasks.critiques.refine import refine_solutions
from tasks.engines.engine_set import EngineSet
from tasks.engines.host import Host
from tasks.engines.markov_engine import markov_problems

NUM_STEPS = 2
REPLIES = {
    "fine": "a: right\nb: wrong, add\nReview: wrong",
    "empty": "",
    "silent": "a: right\nb: right",
    "long": "a: right\nb: right\nc: right\nReview: right",
    "answer": "Answer: {gold}",
    "refused": 400,
    "cut": "a: right\nb:",
}


class Critic(ThreadingHTTPServer):
    """Answers each question with its reply, and records what it was asked."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: dict[str, str | int] = {}
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Critic

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        message = body["messages"][-1]["content"]
        known = self.server.replies.items()
        reply = next((r for question, r in known if question in message), "ready")
        if reply != "ready":  # the engine's own question, when it opens
            self.server.asked.append(message)
        is_refused = isinstance(reply, int)
        reason = "length" if str(reply).endswith(":") else "stop"
        choice = {"index": 0, "message": {"role": "assistant", "content": reply}}
        answer = {
            "choices": [{**choice, "finish_reason": reason}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8},
        }
        if is_refused:
            answer = {"error": {"message": "longer than the context", "code": reply}}
        text = json.dumps(answer).encode()
        self.send_response(reply if is_refused else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format, *args):
        """Keep the test's output clean."""


@pytest.fixture
def critic():
    with Critic() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def solved(store, unit_of, make_trajectory, critic):
    """A solution for each reply, in one unit with its problems; the critic knows the replies."""
    problems = markov_problems(len(REPLIES), seed=5)
    file = unit_of(PROBLEMS.name, name="eval", stage="problems")
    store.commit(file, problems)
    rows = []
    for problem, (name, reply) in zip(problems, REPLIES.items(), strict=True):
        gold = str(problem.answer)
        critic.replies[problem.question] = (
            reply.format(gold=gold) if isinstance(reply, str) else reply
        )
        steps = (Step(text="Step 1: off x\n", num_tokens=1), Step(text="Answer: no", num_tokens=1))
        fields = {"steps": steps, "answer": "no", "correct": False}
        rows.append(make_trajectory(name, problem_id=problem.problem_id, **fields))
    solutions = unit_of(TRAJECTORIES.name, name="eval.00000")
    store.commit(solutions, rows)
    return unit_of(
        CRITIQUES.name,
        name="eval.00000-0123456789abcdef",
        stage="critiques",
        inputs=(solutions.path, file.path),
    )


@pytest.fixture
def job(critic):
    server = {"base_url": f"http://127.0.0.1:{critic.server_port}/v1", "kind": "other"}
    engine = {"type": "openai", "model": "acme/critic", "api": "chat", "server": server}
    return CritiquesJob.from_partial(
        {
            "policy": {"type": "markov", "num_steps": NUM_STEPS, "p_right": 1 - 1e-12},
            "critic": {"engine": engine, "prompt": {"type": "chat"}},
            "grader": {"type": "exact"},
            "refining": {"num_refinements": 2, "num_retries": 1, "max_tokens": 50},
        }
    )


def run(store, job, *works):
    """Do the works of units one after another on one host."""

    async def do():
        host = Host(store.url, EngineSet(policy=job.policy, critic=job.critic.engine))
        await host.open()
        for unit, work in works:
            await host.run(unit, work, job)

    asyncio.run(do())


@pytest.fixture
def done(store, solved, job):
    """The critiques and the second attempts of the solved problems."""
    refined = replace(
        solved,
        name=f"{solved.name}-fedcba9876543210",
        stage="refinements",
        table=TRAJECTORIES.name,
        inputs=(solved.path, *solved.inputs),
    )
    run(store, job, (solved, critique_solutions), (refined, refine_solutions))
    return store.read(solved.path), store.read(refined.path)


def test_whatever_a_critic_writes_is_a_row(done):
    critiques, _ = done
    found = {row.trajectory_id: (row.status, row.fault, row.verdict) for row in critiques}
    assert list(found) == list(REPLIES)
    assert found.pop("refused")[0::2] == ("error", None)
    assert found == {
        "fine": ("finished", None, False),
        "empty": ("finished", "it judges no step", None),
        "silent": ("finished", "it has no verdict", None),
        "long": ("finished", "it judges 3 steps of 2", True),
        "answer": ("finished", "it judges no step", None),
        "cut": ("truncated", "it was cut at its token limit", None),
    }
    assert [row.trajectory_id for row in critiques if row.leaks] == ["answer"]
    (fine,) = [row for row in critiques if row.trajectory_id == "fine"]
    assert (fine.first_error, fine.critic, fine.told) == (1, "openai--acme--critic", "nothing")


def test_the_actor_tries_again_with_every_text_and_once_without(done):
    critiques, attempts = done
    of = {row.critique_id: row.trajectory_id for row in critiques}
    with_critique = [row for row in attempts if row.critique_id is not None]
    retries = [row for row in attempts if row.critique_id is None]
    asked = ["fine", "silent", "long", "answer", "cut"]
    assert [of[row.critique_id] for row in with_critique] == [n for n in asked for _ in range(2)]
    assert [row.parent_id for row in with_critique] == [n for n in asked for _ in range(2)]
    assert [row.parent_id for row in retries] == list(REPLIES)
    assert {row.role for row in attempts} == {"refinement"}
    assert {row.strategy for row in retries} == {"retry"}
    assert all(row.correct for row in attempts)  # this actor is always right
    assert len({row.trajectory_id for row in attempts}) == len(attempts)


def test_the_same_rows_are_made_again(done, store, solved, job):
    critiques, _ = done
    (store.root / solved.path).unlink()
    run(store, job, (solved, critique_solutions))
    again = [replace(row, created_at=None) for row in store.read(solved.path)]
    assert again == [replace(row, created_at=None) for row in critiques]


def test_newest_verdicts_decide_which_solutions_are_wrong(store, solved, job, unit_of):
    late = datetime(2026, 2, 1, tzinfo=UTC)
    verdict = Verdict(
        trajectory_id="fine", grader="math", answer="no", correct=True, created_at=late
    )
    file = unit_of(VERDICTS.name, name="eval.00000-000-0123456789abcdef", stage="regrading")
    store.commit(file, [verdict])
    for which, expected in (("wrong", [n for n in REPLIES if n != "fine"]), ("right", ["fine"])):
        unit = replace(solved, name=which, inputs=(*solved.inputs, file.path))
        run(store, job.with_fields(which=which), (unit, critique_solutions))
        assert [row.trajectory_id for row in store.read(unit.path)] == expected


def test_a_unit_without_wrong_solutions_has_no_rows(store, solved, job):
    run(store, job.with_fields(which="right"), (solved, critique_solutions))
    assert store.read(solved.path) == []


def test_a_critic_is_told_what_there_is_to_tell(store, solved, job, critic):
    told = job.with_fields(critic=job.critic.with_fields(told="answer"))
    run(store, told, (solved, critique_solutions))
    assert {row.told for row in store.read(solved.path)} == {"answer"}
    assert all("Key:\nAnswer: " in message for message in critic.asked)
    critic.asked.clear()
    told = job.with_fields(critic=job.critic.with_fields(told="solution"))
    unit = replace(solved, name="told")
    run(store, told, (unit, critique_solutions))
    # No problem came with a worked solution, and none was solved.
    assert {row.told for row in store.read(unit.path)} == {"nothing"}
    assert not any("Key:" in message for message in critic.asked)


def test_the_newest_verdicts_decide_which_further_solution_is_told(
    store, solved, job, critic, make_trajectory, unit_of
):
    (fine, *_) = store.read(solved.inputs[0])
    fields = {"problem_id": fine.problem_id, "correct": None}
    other = make_trajectory("other", steps=(Step(text="Answer: so", num_tokens=1),), **fields)
    sampled = unit_of(TRAJECTORIES.name, name="eval.00001")
    store.commit(sampled, [replace(other, trajectory_id="twin"), other])
    late = datetime(2026, 2, 1, tzinfo=UTC)
    verdict = Verdict(
        trajectory_id="other", grader="math", answer="so", correct=True, created_at=late
    )
    file = unit_of(VERDICTS.name, name="eval.00001-000-0123456789abcdef", stage="regrading")
    store.commit(file, [verdict])
    told = job.with_fields(critic=job.critic.with_fields(told="solution"))
    unit = replace(solved, inputs=(*solved.inputs, sampled.path, file.path))
    run(store, told, (unit, critique_solutions))
    assert [row.trajectory_id for row in store.read(unit.path) if row.told == "solution"] == [
        "fine"
    ]
    assert sum("Key:\nAnswer: so\n" in message for message in critic.asked) == 1


def test_only_finished_solutions_with_visible_text_are_chosen(make_trajectory):
    rows = [
        make_trajectory("a"),
        make_trajectory("b", correct=False),
        make_trajectory("cut", status="truncated"),
        make_trajectory("failed", status="error", steps=()),
        make_trajectory("thought", thinking_tokens=99),
        make_trajectory("ungraded", correct=None),
        make_trajectory("other", problem_id="p1", correct=False),
    ]

    def chosen(**fields):
        job = CritiquesJob.from_partial({"policy": {"type": "markov"}, **fields})
        return [row.trajectory_id for row in choose_solutions(rows, job)]

    assert chosen() == ["a", "b", "ungraded", "other"]
    assert chosen(which="wrong") == ["b", "other"]
    assert chosen(which="right") == ["a"]
    assert chosen(max_per_problem=1) == ["a", "other"]
